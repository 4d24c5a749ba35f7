"""Files damaged by rule, given to the real command: does it keep every promise of its error handling?"""
