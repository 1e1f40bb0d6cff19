"""By property: whatever a credential of one tailnet asks, no byte of another tailnet is in the answer, and nothing of it moves; in SQL likewise."""

import itertools
import json
import os
import re
import subprocess

import pytest
from actors.strangers import Belongings, Caller, Call, Line, for_operators, routes, waits
from actors.tailnet import Tailnet
from fleet.servers import POSTGRES_BIN

SEED = int(os.environ.get("FLEET_SEED", "4"))
ROUNDS = 12  # calls of each route and credential
SOFT = "'last_seen', 'last_used', 'report_epoch'"  # columns that go on by themselves

# Tables of the installation as a whole. Every other one must say whose its rows are.
INSTALLATION = {"installation", "migrations", "serverkeys", "regions", "relays", "region_keys", "relay_tokens",
                "relay_rechecks", "relay_probes"}


# --- two tailnets with equal contents


# What asks though it is a POST: a text is tried, nothing is written.
ASKING = {"/api/v1/policy/check"} | {f"/api/fleetscale/v1/policy/{verb}" for verb in ("check", "test", "preview", "explain")}


def furnish(cluster, traces, color, v4, v6):
    """A tailnet whose every value has its own mark or number, and what it has."""
    mark = f"zq{color}markzq"
    net = Tailnet(cluster, f"{mark}-net", traces / color, displayName=f"{mark} display", ipv4Range=v4, ipv6Range=v6,
                  loginHost=f"{mark}.login.example")
    net.mark = mark
    net.api("PATCH", "/api/fleetscale/v1/settings", {"notice": f"{mark} notice", "dns": {
        "resolvers": [{"address": f"https://{mark}.dns.example/q"}], "searchDomains": [f"{mark}.search.example"],
        "split": [{"domain": f"{mark}.split.example", "resolvers": []}],
        "records": [{"name": f"{mark}.record.example", "type": "A", "value": "203.0.113.1"}]}})
    net.api("PUT", "/api/v1/policy", {"policy": f"// {mark} policy\n{{}}"})
    users = [net.api("POST", "/api/v1/user", {"name": f"{mark}-{who}", "displayName": f"{mark} {who}", "email": f"{who}@{mark}.example"})["user"]["id"]
             for who in ("ann", "bob")]
    when = "2100-01-01T00:00:00Z"
    keys = [net.api("POST", "/api/v1/preauthkey", {"user": u, "reusable": True, "expiration": when})["preAuthKey"] for u in users]
    api = [net.api("POST", "/api/v1/apikey", {"expiration": when})["apiKey"] for _ in range(3)]
    raws = [net.raw(f"{mark}-{i}", authkey=keys[i]["key"], Hostinfo={"Hostname": f"{mark}-host{i}", "OS": mark, "RoutableIPs": [f"10.{7 + i}.0.0/16"]})
            for i in range(2)]
    for i, raw in enumerate(raws):  # one router each: nothing is elected meanwhile
        net.api("POST", f"/api/v1/node/{raw.number}/approve_routes", {"routes": [f"10.{7 + i}.0.0/16"]})
    net.api("POST", "/api/fleetscale/v1/authkeys", {"user": users[0], "description": f"{mark} key", "expiration": when})
    net.logins = [begin_login(net, f"{mark}-login{i}") for i in range(3)]
    # One answered, one refused, one that waits for this tailnet as if it had begun under its login host.
    net.api("POST", "/api/v1/auth/register", {"user": f"{mark}-ann", "authId": net.logins[0]})
    net.api("POST", "/api/v1/auth/reject", {"authId": net.logins[1]})
    cluster.postgres.sql("fleetscale", f"""update fleetscale.logins l set tailnet_id = t.id from fleetscale.tailnets t
        where l.tailnet_id is null and t.name = '{net.name}'""")
    # Sign-ins that SSH rules ask for: one waits, one is remembered.
    cluster.postgres.sql("fleetscale", f"""insert into fleetscale.ssh_checks (tailnet_id, hash, source_id, destination_id, local_user, ends, answered)
        select n.tailnet_id, sha256((n.id || '{mark}' || i)::text::bytea), n.id, n.id, '{mark}', now() + interval '1 day', case i when 1 then now() end
        from fleetscale.nodes n, generate_series(0, 1) i where n.id = {raws[0].number}""")
    cluster.postgres.sql("fleetscale", f"""insert into fleetscale.ssh_signins (tailnet_id, node_id, at)
        select n.tailnet_id, n.id, now() from fleetscale.nodes n where n.id = {raws[0].number}""")
    net.raws, net.key = raws, api[0]
    net.narrow = net.api("POST", "/api/fleetscale/v1/keys", {"description": f"{mark} narrow", "expiration": when, "scopes": ["all:read"]})["apiKey"]
    return net


def begin_login(net, name):
    """The id of a pending login."""
    raw = net.machine().raw(name, url=net.url())
    url = raw.register(Hostinfo={"Hostname": name, "OS": net.mark})["json"]["AuthURL"]
    return "hskey-authreq-" + re.search(r"[0-9a-f]{24}", url).group()


def belongings(net):
    sql = net.cluster.postgres.sql
    number = sql("fleetscale", f"select id from fleetscale.tailnets where name = '{net.name}'")

    def column(what):
        return sql("fleetscale", what.format(number)).split()

    b = Belongings()
    b.number = number
    b.values = {
        "node": column("select id from fleetscale.nodes where tailnet_id = {}"), "user": column("select id from fleetscale.users where tailnet_id = {}"),
        "authkey": column("select id from fleetscale.authkeys where tailnet_id = {}"),
        "apikey": column("select id from fleetscale.apikeys where tailnet_id = {} order by id"),
        "prefix": column("select prefix from fleetscale.apikeys where tailnet_id = {} order by id"), "tailnet": [net.name], "login": net.logins,
        "userName": column("select name from fleetscale.users where tailnet_id = {}"),
        "key": column("select 'nodekey:' || encode(node_key, 'hex') from fleetscale.nodes where tailnet_id = {}")
        + column("select 'mkey:' || encode(machine_key, 'hex') from fleetscale.nodes where tailnet_id = {}"),
        "address": column("select host(ip4) from fleetscale.nodes where tailnet_id = {}"),
    }
    keyed = {v.partition(":")[2] for v in b.values["key"]}
    b.marks = {net.mark, number, *(login.rpartition("-")[2] for login in net.logins), *keyed, *b.values["prefix"], *b.values["address"],
               *column("select prefix from fleetscale.authkeys where tailnet_id = {}"),
               *column("select host(ip6) from fleetscale.nodes where tailnet_id = {}"),
               *(v for k in ("node", "user", "authkey", "apikey") for v in b.values[k])}
    assert min(map(len, b.marks)) >= 8, "marks that could stand in an answer by chance prove nothing"
    return b


@pytest.fixture
def two(clusters, traces):
    """Red and blue, numbers from far apart ranges, so that each value tells whose it is."""
    cluster = clusters(coordinators=2, mappers=1, relays=0, **{"admin.requests_per_minute": 100000000, "refusals.per_minute": 1000000})
    sql = cluster.postgres.sql
    sequences = sql("fleetscale", """select s.oid::regclass from pg_class s where s.relkind = 'S' and s.relnamespace = 'fleetscale'::regnamespace
        order by 1""").split()
    nets = []
    for i, (color, v4, v6) in enumerate((("red", "100.70.0.0/16", "fd7a:115c:a1e0:70::/64"), ("blue", "100.90.0.0/16", "fd7a:115c:a1e0:90::/64"))):
        for j, sequence in enumerate(sequences):
            sql("fleetscale", f"select setval('{sequence}', {7 + 2 * i}{j:02d}0000000000)")
        nets.append(furnish(cluster, traces, color, v4, v6))
    yield nets
    for net in nets:
        net.close()


def tenant_tables(cluster):
    """Table -> the column that says whose a row is, from the catalog."""
    rows = cluster.postgres.sql("fleetscale", """select c.relname, coalesce(max(a.attname) filter (where a.attname = 'tailnet_id'), '')
        from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'fleetscale'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') group by 1 order by 1""").splitlines()
    tables = dict(row.split("|") for row in rows)
    tables["tailnets"] = "id"
    strangers = {t for t, column in tables.items() if not column} - INSTALLATION
    assert not strangers, f"tables that do not say whose their rows are: {strangers}"
    return {t: column for t, column in tables.items() if column}


def rows_of(cluster, number):
    """Every row of a tailnet, but for what moves by itself."""
    return {table: cluster.postgres.sql("fleetscale", f"select to_jsonb(t) - array[{SOFT}] from fleetscale.{table} t where {column} = {number} order by 1")
            for table, column in tenant_tables(cluster).items()}


# --- the API


def without(text, values):
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "<>").replace(value.replace(":", "%3A"), "<>")
    return text


def must_not_tell(call, answer, theirs, echoes):
    status, text, headers = answer
    told = without(text + headers, echoes)
    seen = [m for m in theirs.marks if m in told]
    assert not seen, f"seed {SEED}: {call} answered {status} with {seen} of the other tailnet:\n{headers}\n{text[:2000]}"


def ask_as_stranger(line, caller, theirs, method, path):
    call = caller.call(method, path)
    answer = line.ask(call)
    assert answer[0] < 500 or (answer[0] in (503, 504) and waits(path)), (str(call), answer)
    assert answer[0] not in (401, 429), f"seed {SEED}: {call} answered {answer}"
    # What the stranger said itself: in this answer, and in the audit of its refused attempts.
    caller.said |= set(call.foreign)
    must_not_tell(call, answer, theirs, caller.said if "audits" in path else call.foreign)
    if not call.foreign or answer[0] < 300:
        return answer[0]
    # As if it were nobody's: the same refusal, so that there is no hint.
    twin = call.swapped({v: caller.made_up(v) for v in set(call.foreign)})
    other = line.ask(twin)
    same = answer[0] == other[0] and without(answer[1], call.foreign) == without(other[1], twin.foreign)
    assert same, f"seed {SEED}: {call} answered {answer[:2]}, but {twin} {other[:2]}"
    return answer[0]


def credentials(net, other):
    """Lines of a tailnet's own keys, of a full and of a reading one, through both coordinators, also when they name the other."""
    first, second = net.cluster.coordinators
    return [Line(first, net.key), Line(second, net.narrow), Line(second, net.key), Line(first, net.key, other.name)]


def play(net, other, seed):
    own, theirs = belongings(net), belongings(other)
    # Not the keys that ask.
    own.values["prefix"] = own.values["prefix"][1:-1]
    own.values["apikey"] = own.values["apikey"][1:-1]
    caller = Caller(seed, own, theirs)
    before, mark = rows_of(net.cluster, theirs.number), [len(r.frames) for r in other.raws]
    statuses = {}
    table = [(m, p) for m, p in routes() if m in ("GET", "POST", "PUT", "PATCH", "DELETE")]
    assert len(table) >= 30, "the route table was found"
    for i in range(ROUNDS):
        for line in credentials(net, other):
            for method, path in caller.random.sample(table, len(table)):
                # What empties a tailnet, rarely: there must be something left to ask for.
                if (method == "DELETE" and i % 3) or (waits(path) and i % 4):
                    continue
                status = ask_as_stranger(line, caller, theirs, method, path)
                assert status >= 400 or line.key == net.key or method == "GET" or path in ASKING, f"a key that only reads may {method} {path}"
                statuses.setdefault((method, path, bool(line.tailnet)), set()).add(status)
            line.close()
    for (method, path, names_other), seen in statuses.items():
        if names_other or for_operators(path):
            assert seen <= {404, 403}, f"{method} {path} answered {seen}"
    reached = {k for k, seen in statuses.items() if 200 in seen}
    assert len(reached) >= 12, f"too few calls did anything: {sorted(reached)}"
    after = rows_of(net.cluster, theirs.number)
    moved = [t for t in before if before[t] != after[t]]
    assert not moved, f"seed {SEED}: rows of the other tailnet in {moved} are others now"
    for raw, since in zip(other.raws, mark):
        heard = [m for _, m, _ in raw.frames[since:] if set(m) - {"KeepAlive", "ControlTime", "PingRequest"}]
        assert not heard, f"a client of the other tailnet heard: {json.dumps(heard)[:1000]}"
        everything = json.dumps([m for _, m, _ in raw.frames])
        assert not [m for m in own.marks if m in everything], "of this tailnet"


def test_no_call_tells_or_moves_anything_of_another(two):
    red, blue = two
    play(red, blue, SEED)
    play(blue, red, SEED + 1)


def an_operator_who_names_one_sees_one(two):
    """The operator's key acts on the tailnet that it names: reading shows nothing of the other."""
    red, blue = two
    theirs = belongings(blue)
    caller = Caller(SEED + 2, belongings(red), theirs)
    line = Line(red.cluster.coordinators[0], red.cluster.key("admin.key"), red.name)
    told = 0
    for method, path in routes():
        if method != "GET" or for_operators(path):
            continue
        for _ in range(ROUNDS):
            told += ask_as_stranger(line, caller, theirs, method, path) == 200
    assert told >= 3 * ROUNDS
    line.close()


def no_credential_opens_nothing(two):
    assert all(method == "GET" and path.rpartition("/")[2].startswith(("openapi", "docs")) for method, path in routes(guarded=False))
    red, blue = two
    caller = Caller(SEED + 3, belongings(red), belongings(blue))
    key = red.key[:-8] + "00000000"
    for method, path in routes():
        for line in (Line(red.cluster.coordinators[0], "nonsense"), Line(red.cluster.coordinators[1], key)):
            status, text, _ = line.ask(caller.call(method, path))
            assert status == 401, (method, path, status, text)
            line.close()


def test_operators_see_whom_they_name_and_strangers_nobody(two):
    an_operator_who_names_one_sees_one(two)
    no_credential_opens_nothing(two)


# --- SQL


def psql(cluster, role, tailnet, text):
    """(rows, "") or ("", SQLSTATE) of statements in a transaction that is rolled back. tailnet None: the setting was never made."""
    chosen = f"select set_config('fleetscale.tailnet', '{tailnet}', true) \\g /dev/null\n" if tailnet is not None else ""
    script = f"\\set VERBOSITY sqlstate\nbegin read write;\n{chosen}{text};\nrollback;\n"
    done = subprocess.run([POSTGRES_BIN / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", cluster.postgres.url(role)], input=script,
                          capture_output=True, text=True, check=False)
    if done.returncode:
        return "", done.stderr.strip().rpartition(" ")[2]
    return done.stdout.strip(), ""


# Values that a made-up row needs where its column's type alone does not tell.
KEY = "sha256(gen_random_uuid()::text::bytea)"
FILL = {"name": "'group:x'", "hash": KEY, "machine_key": KEY, "node_key": KEY}
COUNTER = itertools.count(5_000_000_000_000)
TYPES = {"integer": "1", "smallint": "1", "text": "'x'", "boolean": "true", "bytea": r"'\xab'", "jsonb": "'{}'",
         "timestamp with time zone": "now()", "inet": "'10.0.0.1'", "cidr": "'10.0.0.0/8'", "text[]": "'{}'", "cidr[]": "'{}'"}


def make_row(cluster, table, number):
    """A row of a table that the journey left empty, so that nothing is proven on nothing. Foreign keys are not looked at."""
    sql = cluster.postgres.sql
    columns = [line.split("|") for line in sql("fleetscale", f"""select a.attname, format_type(a.atttypid, null) from pg_attribute a
        where a.attrelid = 'fleetscale.{table}'::regclass and a.attnum > 0 and not a.attisdropped and a.attnotnull and not a.atthasdef
        and a.attidentity = '' and a.attgenerated = ''""").splitlines()]
    values = {name: FILL.get(name, TYPES.get(kind)) or str(next(COUNTER)) for name, kind in columns}
    values["tailnet_id"] = str(number)
    sql("fleetscale", f"set session_replication_role = replica; insert into fleetscale.{table} ({', '.join(values)}) values ({', '.join(values.values())})")


@pytest.fixture
def filled(two):
    """Both tailnets with a row in every table."""
    cluster = two[0].cluster
    tables = tenant_tables(cluster)
    numbers = [belongings(net).number for net in two]
    for table, column in tables.items():
        for number in numbers:
            if cluster.postgres.sql("fleetscale", f"select count(*) from fleetscale.{table} where {column} = {number}") == "0":
                make_row(cluster, table, number)
    return cluster, tables, *numbers


def rows_are_hidden_from_each_role(filled):
    cluster, tables, mine, theirs = filled
    seen = 0
    for role in ("fleetscale_coordinator", "fleetscale_mapper"):
        for table, column in tables.items():
            for chosen in (mine, None, ""):
                rows, code = psql(cluster, role, chosen, f"select {column}::text from fleetscale.{table}")
                assert code in ("", "42501"), (role, table, chosen, code)
                owners = set(rows.split())
                assert owners <= ({mine} if chosen == mine else set()), f"{role} in {chosen!r} sees rows of {owners} in {table}"
                seen += bool(owners)
    assert seen >= 12, "each role sees its own"
    for table in tables:
        forced = cluster.postgres.sql("fleetscale", f"select relrowsecurity and relforcerowsecurity from pg_class where oid = 'fleetscale.{table}'::regclass")
        assert forced == "t", f"row-level security of {table}"


def writes_into_another_fail(filled):
    cluster, tables, mine, theirs = filled
    before = rows_of(cluster, theirs)
    for role in ("fleetscale_coordinator", "fleetscale_mapper"):
        for chosen in (mine, None):
            for table, column in tables.items():
                columns = cluster.postgres.sql("fleetscale", f"""select string_agg(quote_ident(attname), ', ') from pg_attribute
                    where attrelid = 'fleetscale.{table}'::regclass and attnum > 0 and not attisdropped and attgenerated = ''""")
                row = cluster.postgres.sql("fleetscale", f"select to_jsonb(t) from fleetscale.{table} t where {column} = {theirs} limit 1").replace("'", "''")
                tries = {
                    "insert": f"""insert into fleetscale.{table} ({columns}) overriding system value
                        select {columns} from jsonb_populate_record(null::fleetscale.{table}, '{row}') returning 1""",
                    "update": f"update fleetscale.{table} set {column} = {column} where {column} = {theirs} returning 1",
                    "delete": f"delete from fleetscale.{table} where {column} = {theirs} returning 1",
                    "give away": f"update fleetscale.{table} set {column} = {theirs} where {column} = {mine} returning 1",
                }
                for what, statement in tries.items():
                    rows, code = psql(cluster, role, chosen, statement)
                    assert rows == "" and code in ("", "42501"), f"{role} in {chosen}: {what} of {table} gave {rows!r} {code}"
                    assert what != "insert" or code == "42501", f"{role} in {chosen}: {what} of {table} was not refused"
    assert rows_of(cluster, theirs) == before


def mappers_write_nothing_and_read_no_secret(filled):
    cluster, tables, mine, _ = filled
    sql = cluster.postgres.sql
    every = sql("fleetscale", "select relname from pg_class where relnamespace = 'fleetscale'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')").split()
    for table in every:
        rights = sql("fleetscale", f"""select string_agg(r, ' ') from unnest('{{INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}}'::text[]) r
            where has_table_privilege('fleetscale_mapper', 'fleetscale.{table}', r)""")
        assert rights == "", f"the mapper may {rights} {table}"
        rights = sql("fleetscale", f"select has_any_column_privilege('fleetscale_mapper', 'fleetscale.{table}', 'INSERT, UPDATE')")
        assert rights == "f", f"the mapper may write columns of {table}"
        _, code = psql(cluster, "fleetscale_mapper", mine, f"delete from fleetscale.{table}")
        assert code == "42501", (table, code)
    sequences = sql("fleetscale", """select string_agg(relname, ' ') from pg_class where relnamespace = 'fleetscale'::regnamespace
        and case when relkind = 'S' then has_sequence_privilege('fleetscale_mapper', oid, 'USAGE, UPDATE') end""")
    assert sequences == "", "numbers that the mapper could take"
    secrets = sql("fleetscale", r"""select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'fleetscale'::regnamespace and c.relkind in ('r', 'p') and not a.attisdropped
        and a.attname ~ '(^|_)(hash|private|private_key|secret|token|password)($|_)'""").split()
    assert {"authkeys.hash", "apikeys.hash", "relays.hash", "relay_tokens.hash", "serverkeys.private_key", "logins.hash"} <= set(secrets)
    for secret in secrets:
        table, _, column = secret.partition(".")
        readable = sql("fleetscale", f"select has_column_privilege('fleetscale_mapper', 'fleetscale.{table}', '{column}', 'SELECT')")
        assert readable == "f", f"the mapper may read {secret}"


def roles_are_no_owners(filled):
    cluster = filled[0]
    sql = cluster.postgres.sql
    roles = sql("fleetscale", """select rolname || ' ' || rolsuper || rolbypassrls || rolcreaterole || rolcanlogin from pg_roles
        where rolname in ('fleetscale_coordinator', 'fleetscale_mapper', 'fleetscale_lookup') order by 1""").splitlines()
    assert roles == ["fleetscale_coordinator falsefalsefalsetrue", "fleetscale_lookup falsetruefalsefalse", "fleetscale_mapper falsefalsefalsetrue"]
    owned = sql("fleetscale", """select string_agg(c.relname, ' ') from pg_class c join pg_roles r on r.oid = c.relowner
        where c.relnamespace = 'fleetscale'::regnamespace and r.rolname in ('fleetscale_coordinator', 'fleetscale_mapper', 'fleetscale_lookup')""")
    assert owned == ""
    # Functions that pass row-level security by: none for everybody, of mappers only the one that compares generations, and none without a fixed search path.
    open_to = sql("fleetscale", """select p.proname from pg_proc p where p.pronamespace = 'fleetscale'::regnamespace and p.prosecdef
        and has_function_privilege('fleetscale_mapper', p.oid, 'EXECUTE')""").split()
    assert set(open_to) <= {"generations_of"}
    loose = sql("fleetscale", """select p.proname from pg_proc p where p.pronamespace = 'fleetscale'::regnamespace and p.prosecdef
        and not coalesce(array_to_string(p.proconfig, ' '), '') like '%search_path=%'""").split()
    assert not loose


def test_sql_roles(filled):
    roles_are_no_owners(filled)
    mappers_write_nothing_and_read_no_secret(filled)
    rows_are_hidden_from_each_role(filled)
    writes_into_another_fail(filled)


def test_call_twins_are_alike():
    """The stranger's values are all replaced, and only they."""
    call = Call("POST", "/api/v1/node/70000000001/rename/x", {"user": "70000000002"}, {"id": "70000000001", "name": "n"}, ["70000000001", "70000000002"])
    twin = call.swapped({"70000000001": "60000000001", "70000000002": "60000000002"})
    assert (twin.path, twin.query, twin.body) == ("/api/v1/node/60000000001/rename/x", {"user": "60000000002"}, {"id": "60000000001", "name": "n"})
