"""Mamba-1 in the layout and with the parameter names of Hugging Face's `MambaForCausalLM`.

Parameters are f32; matrix products run in `compute` (bf16 on the GPU), the residual stream, the norms and the scan in f32.
"""
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from kernels import add_norm, conv_silu, vocabulary_loss
from scan import selective_scan


@dataclass
class Config:
    vocab_size: int = 8192
    d_model: int = 256
    n_layer: int = 12
    d_state: int = 16
    d_conv: int = 4
    dt_rank: int = 16
    norm_eps: float = 1e-5

    @property
    def d_inner(self):
        return 2 * self.d_model

    def hugging_face(self):
        return {
            "architectures": ["MambaForCausalLM"], "model_type": "mamba", "vocab_size": self.vocab_size,
            "hidden_size": self.d_model, "intermediate_size": self.d_inner, "num_hidden_layers": self.n_layer,
            "state_size": self.d_state, "conv_kernel": self.d_conv, "expand": 2, "time_step_rank": self.dt_rank,
            "use_bias": False, "use_conv_bias": True, "hidden_act": "silu", "layer_norm_epsilon": self.norm_eps,
            "residual_in_fp32": True, "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
        }

    asdict = asdict


class Mixer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.in_proj = nn.Linear(c.d_model, 2 * c.d_inner, bias=False)
        self.conv1d = nn.Conv1d(c.d_inner, c.d_inner, c.d_conv, groups=c.d_inner, bias=True)
        self.x_proj = nn.Linear(c.d_inner, c.dt_rank + 2 * c.d_state, bias=False)
        self.dt_proj = nn.Linear(c.dt_rank, c.d_inner)
        self.out_proj = nn.Linear(c.d_inner, c.d_model, bias=False)
        self.A_log = nn.Parameter(torch.log(torch.arange(1, c.d_state + 1, dtype=torch.float32)).repeat(c.d_inner, 1))
        self.D = nn.Parameter(torch.ones(c.d_inner))
        # Mamba's start: softplus(dt bias) log-uniform in [0.001, 0.1].
        nn.init.uniform_(self.dt_proj.weight, -c.dt_rank ** -0.5, c.dt_rank ** -0.5)
        dt = torch.exp(torch.rand(c.d_inner) * (math.log(0.1) - math.log(0.001)) + math.log(0.001)).clamp(min=1e-4)
        with torch.no_grad():
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))
            self.out_proj.weight /= math.sqrt(c.n_layer)

    def forward(self, u):
        c, kind = self.c, u.dtype
        xz = F.linear(u, self.in_proj.weight.to(kind))
        x, z = xz.chunk(2, -1)
        x = conv_silu(x, self.conv1d.weight.squeeze(1), self.conv1d.bias)
        dbc = F.linear(x, self.x_proj.weight.to(kind))
        dt, B, C = dbc.split([c.dt_rank, c.d_state, c.d_state], -1)
        dt = F.linear(dt, self.dt_proj.weight.to(kind))
        y = selective_scan(x, dt, -torch.exp(self.A_log), B, C, self.D, z, self.dt_proj.bias)
        return F.linear(y.to(kind), self.out_proj.weight.to(kind))


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))


class Block(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.norm = Norm(c.d_model)
        self.mixer = Mixer(c)


class Backbone(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.embeddings = nn.Embedding(c.vocab_size, c.d_model)
        self.layers = nn.ModuleList(Block(c) for _ in range(c.n_layer))
        self.norm_f = Norm(c.d_model)
        nn.init.normal_(self.embeddings.weight, std=0.02)


class Mamba(nn.Module):
    def __init__(self, c: Config, compute=torch.float32):
        super().__init__()
        self.c, self.compute = c, compute
        self.backbone = Backbone(c)

    def hidden(self, tokens):
        """tokens [batch, length] -> the normed output of the last layer [batch, length, d_model], from the zero state."""
        b = self.backbone
        branch = F.embedding(tokens, b.embeddings.weight).to(self.compute)
        residual = torch.zeros(branch.shape, device=branch.device, dtype=torch.float32)
        for layer in b.layers:
            u, residual = add_norm(branch, residual, layer.norm.weight, self.c.norm_eps)
            branch = layer.mixer(u)
        return add_norm(branch, residual, b.norm_f.weight, self.c.norm_eps)[0]

    def logits(self, tokens):
        return F.linear(self.hidden(tokens), self.backbone.embeddings.weight.to(self.compute)).float()

    def loss(self, tokens, weight, total):
        """Next-token loss. weight [batch, length]: what the prediction *of* that token counts; total: the sum to divide by.

        Returns the loss, the loss of every position and whether it was hit, both [batch, length - 1] for tokens 1..
        """
        h = self.hidden(tokens)
        target = torch.cat([tokens[:, 1:], tokens[:, :1]], 1).reshape(-1)
        scale = torch.cat([weight[:, 1:], torch.zeros_like(weight[:, :1])], 1).reshape(-1) / total
        table = self.backbone.embeddings.weight.to(self.compute)
        loss, nll, hit = vocabulary_loss(h.reshape(-1, h.shape[-1]), table, target, scale)
        shape = tokens.shape
        return loss, nll.view(shape)[:, :-1], hit.view(shape)[:, :-1]

    def parameter_groups(self, weight_decay):
        """Decay on matrix weights only: none on A_log, D, norms, biases and the convolution."""
        decay, rest = [], []
        for name, p in self.named_parameters():
            (decay if p.dim() == 2 and "A_log" not in name else rest).append(p)
        return [{"params": decay, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
