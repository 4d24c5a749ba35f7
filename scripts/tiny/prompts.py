"""Texts a user may ask with. The answer must not depend on them: training sees as many kinds as possible."""

import random
import string

DEFAULT_PROMPT = (
    "Describe this video frame in one or two sentences: the light, the colours, and what can be seen."
)

KNOWN: tuple[str, ...] = (
    DEFAULT_PROMPT,
    "Describe the image.",
    "What is in this picture?",
    "Describe this scene in detail.",
    "Caption this video frame in one sentence.",
    "Write a short caption.",
    "What do you see?",
    "Describe the frames of this scene: what happens, where, and who can be seen?",
    "Please describe the image in one short sentence for a person who cannot see it.",
    "List the objects, people, actions and the setting.",
    "Is it day or night? What colours are there?",
    "Describe",
    "hello",
    "Beschreibe dieses Bild.",
    "Décris cette image en une phrase.",
    "Опиши кадр.",
    "描述这张图片。",
    "この画像を説明してください。",
    "You are a helpful assistant. Answer in English. Use plain words and at most two sentences.",
    "Answer as JSON with the keys: light, colours, objects.",
)

_WORD_TEXT = """
    the a of in and to is are what which who where when how describe tell me about please short long
    detail scene video frame frames image picture shot camera light colour colours color people person
    object objects action background foreground text sign left right top bottom centre corner day night
    indoor outdoor weather mood style one two three sentence sentences words caption summary list name
    every only not do use if there can see seen large small shape circle square triangle red green blue
    yellow white black bright dark plain busy
"""
WORDS: tuple[str, ...] = tuple(_WORD_TEXT.split())

_LETTERS = string.ascii_letters + string.digits + " .,:;!?-_/()[]{}<>@#$%&*+='\"\n\téüñßøжяλ中文日本語🙂"


def draw_prompt(rng: random.Random) -> str:
    """One prompt: the default, a known one, random words or random characters."""
    kind = rng.random()
    if kind < 0.30:
        return DEFAULT_PROMPT
    if kind < 0.55:
        return rng.choice(KNOWN)
    if kind < 0.60:
        return " ".join(rng.sample(KNOWN, 2))
    if kind < 0.90:
        text = " ".join(rng.choices(WORDS, k=rng.choice((1, 3, 6, 10, 16, 24))))
        return text.capitalize() + rng.choice(("", ".", "?", "\n"))
    return "".join(rng.choices(_LETTERS, k=rng.randint(1, 24)))
