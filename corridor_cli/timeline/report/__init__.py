"""Timelines as pages for a browser: a library of all videos, and one page a video.

A page is one file. It asks nothing of any network, its text is escaped, and what it runs is named by hash in
its content security policy. What it looks like is in `files/`: HTML, CSS and JavaScript as they are.
"""
