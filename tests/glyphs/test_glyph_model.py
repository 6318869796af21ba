"""A build without the weights of the real drawings says so, and how to make them."""

import pytest

from unlearnlog.errors import ModelError
from unlearnlog.glyphs.glyph_model import check_glyph_weights


def test_a_folder_without_weights_is_refused_with_the_recipe(tmp_path):
    with pytest.raises(ModelError, match="not part of this build") as refused:
        check_glyph_weights(tmp_path)

    assert "python -m recipes.glyphs all" in refused.value.fix


def test_a_folder_with_weights_is_accepted(tmp_path):
    (tmp_path / "model_index.json").write_text("{}")

    check_glyph_weights(tmp_path)
