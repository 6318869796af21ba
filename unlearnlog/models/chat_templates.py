"""Templates that put a prompt into a conversation, as language models were trained.

A folder's own template is a program, which is not run. Those of the supported text
encoders are known, and are these.
"""

from __future__ import annotations

from typing import Final

_TEXT: Final = (
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for each in message.content %}{{ each.text }}{% endfor %}{% endif %}"
)

_QWEN: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    + _TEXT
    + "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
_MISTRAL: Final = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'system' %}[SYSTEM_PROMPT]" + _TEXT + "[/SYSTEM_PROMPT]"
    "{% elif message.role == 'user' %}[INST]" + _TEXT + "[/INST]"
    "{% endif %}{% endfor %}"
)
_OF: Final = {"Qwen2": _QWEN, "Pixtral": _MISTRAL}


def template_of(kind: str) -> str | None:
    """Return the template of a class of tokenizers; None for one without."""
    return next((text for name, text in _OF.items() if kind.startswith(name)), None)
