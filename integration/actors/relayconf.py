"""Relays that are configured by the texts of docs/relays.md."""

from fleet.cluster import Program

from .recipes import RELAYS, recipes, replace


def relay_by_recipe(cluster, recipe, folder, changes, **more):
    """A further relay of a cluster that runs: its configuration is the recipe's with changes(relay); `more`: options that no recipe says. Not started."""
    p = Program(cluster, "derp", len(cluster.relays))
    cluster.programs.append(p)
    cluster.mint_relays()
    folder.mkdir(parents=True, exist_ok=True)
    p.config = folder / "derp.yaml"
    p.config.write_text(replace(recipes(RELAYS)[recipe], changes(p)))
    usual = cluster.options

    def options(q):
        if q is not p:
            return usual(q)
        kept = ("listen.operations", "log.format", "threads", "coordinators", "relay.token_file")
        return {**{k: v for k, v in usual(q).items() if k in kept}, "config": p.config, "log.level": "debug", **more}
    cluster.options = options
    return p
