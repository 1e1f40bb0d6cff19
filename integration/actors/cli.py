"""The command `fleetscale`, as people and scripts use it."""

import json
import os
import subprocess

import yaml


class Cli:
    """One way to reach a server: words and environment that come with every call."""

    def __init__(self, cluster, folder, *words, **env):
        folder.mkdir(parents=True, exist_ok=True)
        self.program = cluster.build / "coordinator/fleetscale"
        self.words, self.config = list(map(str, words)), folder / "cli.yaml"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("FLEETSCALE_", "HEADSCALE_")) and k != "PAGER"}
        self.env = {**clean, "FLEETSCALE_CLI_CONFIG": str(self.config), **{k: str(v) for k, v in env.items()}}

    def run(self, *words, expect=0, stdin="", **env):
        """The finished process."""
        done = subprocess.run([str(self.program), *self.words, *map(str, words)], env={**self.env, **{k: str(v) for k, v in env.items()}}, input=stdin,
                              cwd="/", capture_output=True, text=True, timeout=60, check=False)
        assert "Sanitizer" not in done.stderr, done.stderr
        assert expect is None or done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def say(self, *words, expect=0, **env):
        """What it printed as JSON; of a refusal what it says of itself."""
        done = self.run("-o", "json", *words, expect=expect, **env)
        return json.loads(done.stderr if done.returncode else done.stdout)

    def in_all_forms(self, *words):
        """The same answer from every machine form, and the table's text."""
        told = [json.loads(self.run("-o", "json", *words).stdout), json.loads(self.run("-o", "json-line", *words).stdout),
                yaml.safe_load(self.run("-o", "yaml", *words).stdout)]
        assert told[0] == told[1] == told[2], words
        assert len(self.run("-o", "json-line", *words).stdout.splitlines()) == 1
        return told[0], self.run(*words).stdout


def over_socket(cluster, folder, tailnet=None, index=0):
    return Cli(cluster, folder, "--socket", cluster.admin_socket(index), *(["--tailnet", tailnet] if tailnet else []))


def over_tcp(cluster, folder, key, tailnet=None, index=0):
    return Cli(cluster, folder, "--server", f"http://{cluster.coordinators[index].at('admin')}", *(["--tailnet", tailnet] if tailnet else []),
               FLEETSCALE_API_KEY=key)
