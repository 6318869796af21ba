"""SSH keys, and files of allowed signers, made for a test."""

import subprocess

from unlearnlog.ledger.repository import Repository


def made_key(folder, who):
    """Make a key without a passphrase; return its path."""
    key = folder / who
    words = ("-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(key))
    subprocess.run(["ssh-keygen", *words], check=True, stdin=subprocess.DEVNULL)
    return key


def allowed(folder, *keys):
    """Write a file that allows the makers of some keys; return its path."""
    file = folder / "allowed_signers"
    lines = [
        f"{key.name}@example.org {key.with_suffix('.pub').read_text()}" for key in keys
    ]
    file.write_text("".join(lines))
    return file


def asking(folder, key, signers):
    """Have a ledger sign each entry, and ask for signatures; return it anew."""
    ledger = Repository.open(folder)
    ledger.configure("sign.key", str(key))
    ledger.configure("sign.signers", str(signers))
    for what in ("sign.entries", "sign.required"):
        ledger.configure(what, "true")
    return Repository.open(folder)
