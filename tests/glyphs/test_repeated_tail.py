"""One zero token that counts as many is as many zero tokens."""

import torch

from recipes.glyphs.transformer import RepeatedTail, new_transformer


def test_one_zero_token_counted_eight_times_is_eight_zero_tokens():
    net = new_transformer(blocks=2)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    words, rest = torch.randn(2, 3, 256), torch.zeros(2, 1, 256)
    given = {
        "hidden_states": torch.randn(2, 16, 8, 8),
        "pooled_projections": torch.randn(2, 256),
        "timestep": torch.tensor([900.0, 20.0]),
        "return_dict": False,
    }

    with torch.inference_mode():
        context = torch.cat([words, *[rest] * 8], 1)
        whole = net(encoder_hidden_states=context, **given)[0]
        net.set_attn_processor(RepeatedTail())
        context = torch.cat([words, rest], 1)
        counted, once = (
            net(
                encoder_hidden_states=context,
                joint_attention_kwargs={"tail": tail},
                **given,
            )[0]
            for tail in (8, 1)
        )

    assert torch.allclose(whole, counted, atol=1e-5)
    assert not torch.allclose(whole, once, atol=1e-3)
