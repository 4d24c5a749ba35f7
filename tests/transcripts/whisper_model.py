"""A Whisper of one small layer with random weights, as faster-whisper loads it: it hears nonsense."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_lowercase

import torch
from ctranslate2.converters.transformers import WhisperLoader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import WhisperConfig, WhisperForConditionalGeneration
from transformers.models.whisper.tokenization_whisper import LANGUAGES

_HIDDEN = 64
_NUM_TIMES = 1501
_LATEST_TIME = 100


def make_model(folder: Path) -> Path:
    """Write the model's files to a new folder."""
    folder.mkdir()
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    end = tokenizer.token_to_id("<|endoftext|>")
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=_HIDDEN,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=_HIDDEN,
        decoder_ffn_dim=_HIDDEN,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=tokenizer.token_to_id("<|startoftranscript|>"),
    )
    torch.manual_seed(1)
    model = WhisperForConditionalGeneration(config)
    _keep_to_letters(model, tokenizer)
    told = model.generation_config
    told.alignment_heads = [[0, 0]]
    told.lang_to_id = {f"<|{code}|>": tokenizer.token_to_id(f"<|{code}|>") for code in LANGUAGES}
    told.suppress_tokens, told.begin_suppress_tokens = [], [end]
    loader = WhisperLoader()
    spec = loader.get_model_spec(model)
    loader.set_config(spec.config, model, None)
    vocabulary = tokenizer.get_vocab()
    loader.set_vocabulary(spec, sorted(vocabulary, key=vocabulary.__getitem__))
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": 80, "sampling_rate": 16000}))
    return folder


def _keep_to_letters(model: WhisperForConditionalGeneration, tokenizer: Tokenizer) -> None:
    """Of all bytes only a to z are ever likely, and of all times those of the first two seconds: so what is
    heard can be read, and lies within what was recorded, every time."""
    vocabulary = tokenizer.get_vocab()
    first_time = vocabulary["<|0.00|>"]
    unreadable = [
        number for text, number in vocabulary.items() if len(text) == 1 and text not in ascii_lowercase
    ]
    unreadable.append(vocabulary["<|nospeech|>"])  # else what it is unsure of is left out, now and then
    unreadable += range(first_time + _LATEST_TIME, first_time + _NUM_TIMES)
    decoder = model.model.decoder
    with torch.no_grad():
        decoder.layer_norm.weight[0], decoder.layer_norm.bias[0] = 0.0, 10.0
        decoder.embed_tokens.weight[:, 0] = 0.0
        decoder.embed_tokens.weight[unreadable, 0] = -10.0


def _tokenizer() -> Tokenizer:
    """Bytes, and the special tokens that Whisper has."""
    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        *(f"<|{code}|>" for code in LANGUAGES),
        *(f"<|{name}|>" for name in ("translate", "transcribe", "startoflm", "startofprev", "nospeech")),
        "<|notimestamps|>",
        *(f"<|{number * 0.02:.2f}|>" for number in range(_NUM_TIMES)),
    ]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer
