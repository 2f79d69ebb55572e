"""`pocketrec completion`: the script that teaches a shell the commands and options."""

import click
from click.shell_completion import get_completion_class

from pocketrec.cli.output import emit

_INSTALL = {
    "bash": 'eval "$(pocketrec completion bash)"  in ~/.bashrc',
    "zsh": 'eval "$(pocketrec completion zsh)"  in ~/.zshrc',
    "fish": "pocketrec completion fish > ~/.config/fish/completions/pocketrec.fish",
}


@click.command(
    "completion",
    short_help="Shell completion.",
    help="Print the completion script of a shell. To use it:\n\n\b\n"
    + "\n".join(_INSTALL.values()),
)
@click.argument("shell", type=click.Choice(sorted(_INSTALL)))
def command(shell: str) -> None:
    """Print the completion script of a shell."""
    from pocketrec.cli.app import app

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"click {click.__version__} cannot complete in {shell}")
    emit(completion(app, {}, "pocketrec", "_POCKETREC_COMPLETE").source())
