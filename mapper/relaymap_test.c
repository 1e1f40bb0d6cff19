#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "madeup.h"

#define REGION(id, host) \
	"{\"RegionID\":" id ",\"RegionCode\":\"\",\"RegionName\":\"\",\"Nodes\":[{\"Name\":\"" id "a\",\"RegionID\":" id ",\"HostName\":\"" host "\"}]}"
#define SCORED(scores, regions) "{\"HomeParams\":{\"RegionScore\":{" scores "}},\"Regions\":{" regions "},\"omitDefaultRegions\":true}"
#define MAP(regions) "{\"Regions\":{" regions "},\"omitDefaultRegions\":true}"
#define OURS "\"900\":" REGION("900", "one.example") ",\"901\":" REGION("901", "two.example")
#define OWN(id, host) "\"" id "\": {\"Nodes\": [{\"Name\": \"" id "a\", \"HostName\": \"" host "\"}]}"
#define POLICY(derp) "{\"derpMap\": {" derp "}}"

enum { NODES = 3 };

static void set_relays(struct madeup *m, const char *text)
{
	struct body *relays = body_new(bytes_text(text));
	snapshot_set_relays(m->snapshot, relays);
	body_drop(&relays);
	madeup_close(m);
}

static void begin(struct madeup *m)
{
	madeup_new(m, NODES, 256);
	for (size_t i = 0; i < NODES; i++)
		m->rows[i].home_relay = 0;
	madeup_hand_over(m, 0, NODES, CHANGE_NODE_RELAY);
	set_relays(m, MAP(OURS));
}

static void home(struct madeup *m, size_t row, unsigned region)
{
	m->rows[row].home_relay = region;
	madeup_hand_over(m, row, 1, CHANGE_NODE_RELAY);
}

/* What is shown, and whether the last version changed it. */
static void shows(const struct madeup *m, bool moved, const char *map)
{
	const struct relaymap *relays = &m->views.rules->relays;
	struct bytes text = body_bytes(relays->shown);
	if (!bytes_equal_text(text, map))
		fail_msg("shown is %.*s\nnot %s", BYTES_ARG(text), map);
	assert_int_equal(relays->moved == m->snapshot->version, moved);
}

static void a_policy_adds_replaces_and_removes(void **state)
{
	struct madeup m;
	(void)state;
	begin(&m);
	shows(&m, true, MAP(OURS));
	madeup_policy(&m, POLICY(""));
	shows(&m, false, MAP(OURS));
	madeup_policy(&m, POLICY("\"Regions\": {" OWN("12", "own.example") "}"));
	shows(&m, true, MAP("\"12\":" REGION("12", "own.example") "," OURS));
	madeup_policy(&m, POLICY("\"Regions\": {" OWN("12", "own.example") ", \"900\": null}"));
	shows(&m, true, MAP("\"12\":" REGION("12", "own.example") ",\"901\":" REGION("901", "two.example")));
	madeup_policy(&m, POLICY("\"Regions\": {" OWN("901", "own.example") "}"));
	shows(&m, true, MAP("\"900\":" REGION("900", "one.example") ",\"901\":" REGION("901", "own.example")));
	madeup_policy(&m, POLICY("\"OmitDefaultRegions\": true, \"Regions\": {" OWN("5", "own.example") "}"));
	shows(&m, true, MAP("\"5\":" REGION("5", "own.example")));
	/* The installation's map moves: only who sees something of it hears of that. */
	set_relays(&m, MAP("\"900\":" REGION("900", "other.example")));
	shows(&m, false, MAP("\"5\":" REGION("5", "own.example")));
	madeup_policy(&m, "{}");
	shows(&m, true, MAP("\"900\":" REGION("900", "other.example")));
	madeup_free(&m);
}

static void all_that_a_region_may_say(void **state)
{
	struct madeup m;
	(void)state;
	begin(&m);
	madeup_policy(&m,
		      POLICY("\"OmitDefaultRegions\": true, \"regions\": {\"7\": {\"RegionID\": 7, \"RegionCode\": \"q\\\"\", \"RegionName\": \"Ä\", "
			     "\"Latitude\": 1.5, "
			     "\"Longitude\": -2, \"NoMeasureNoHome\": false, \"Nodes\": [{\"Name\": \"x\", \"RegionID\": 7, \"HostName\": \"h\", \"CertName\": "
			     "\"c.example\", \"IPv4\": \"none\", \"IPv6\": \"2001:db8::1\", \"STUNPort\": -1, \"STUNOnly\": false, \"DERPPort\": 8443, "
			     "\"InsecureForTests\": true, \"CanPort80\": true}]}}"));
	shows(&m, true,
	      MAP("\"7\":{\"RegionID\":7,\"RegionCode\":\"q\\\"\",\"RegionName\":\"Ä\",\"Latitude\":1.5,\"Longitude\":-2,\"Nodes\":[{\"Name\":\"x\","
		  "\"RegionID\":7,"
		  "\"HostName\":\"h\",\"CertName\":\"c.example\",\"IPv4\":\"none\",\"IPv6\":\"2001:db8::1\",\"STUNPort\":-1,\"DERPPort\":8443,"
		  "\"InsecureForTests\":true,\"CanPort80\":true}]}"));
	madeup_free(&m);
}

static void a_home_goes_last(void **state)
{
	struct madeup m;
	(void)state;
	begin(&m);
	home(&m, 0, 900);
	home(&m, 1, 900);
	home(&m, 2, 901);
	madeup_policy(&m, POLICY("\"OmitDefaultRegions\": true, \"Regions\": {" OWN("12", "own.example") "}"));
#define OWN_12 "\"12\":" REGION("12", "own.example")
#define OLD_900 "\"900\":" REGION("900", "one.example")
#define OLD_901 "\"901\":" REGION("901", "two.example")
	shows(&m, true, SCORED("\"900\":1000,\"901\":1000", OWN_12 "," OLD_900 "," OLD_901));
	home(&m, 2, 12);
	shows(&m, true, SCORED("\"900\":1000", OWN_12 "," OLD_900));
	home(&m, 0, 12);
	shows(&m, false, SCORED("\"900\":1000", OWN_12 "," OLD_900));
	/* Who is away takes no part: its client begins anew. */
	snapshot_set_online(m.snapshot, madeup_slot(&m, 1), false);
	madeup_close(&m);
	shows(&m, true, SCORED("", OWN_12));
	/* The way back: the policy's own region is somebody's home now. */
	madeup_policy(&m, "{}");
	shows(&m, true, SCORED("\"12\":1000", OWN_12 "," OURS));
	home(&m, 0, 900);
	home(&m, 2, 901);
	shows(&m, true, SCORED("", OURS));
	madeup_free(&m);
}

static void a_home_is_marked_last(void **state)
{
	struct madeup m;
	(void)state;
	begin(&m);
	madeup_policy(&m, POLICY("\"Regions\": {" OWN("12", "own.example") "}"));
	home(&m, 0, 12);
	madeup_policy(&m, POLICY("\"Regions\": {\"12\": {\"Avoid\": true, \"Nodes\": [{\"Name\": \"12a\", \"HostName\": \"own.example\"}]}}"));
	shows(&m, true, SCORED("\"12\":1000", OWN_12 "," OURS));
	home(&m, 0, 900);
	shows(&m, true,
	      SCORED("", "\"12\":{\"RegionID\":12,\"RegionCode\":\"\",\"RegionName\":\"\",\"Avoid\":true,\"NoMeasureNoHome\":true,\"Nodes\":[{\"Name\":\"12a\","
			 "\"RegionID\":12,\"HostName\":\"own.example\"}]}," OURS));
	madeup_free(&m);
}

static void never_a_map_without_a_home(void **state)
{
	struct madeup m;
	(void)state;
	begin(&m);
	madeup_policy(&m, POLICY("\"Regions\": {\"900\": null, \"901\": null}"));
	shows(&m, false, MAP(OURS));
	/* Nor does one that cannot be read take a home away. */
	madeup_policy(&m, POLICY("\"Regions\": {" OWN("12", "own.example") "}"));
	home(&m, 0, 12);
	madeup_policy(&m, "no policy");
	shows(&m, true, SCORED("\"12\":1000", OWN_12 "," OURS));
	madeup_free(&m);
}

#define LEAVING(regions, leaving) "{\"Regions\":{" regions "},\"Leaving\":{" leaving "},\"omitDefaultRegions\":true}"

/* What the installation holds back is shown while somebody is at home in it, and its list to nobody. */
static void what_leaves_is_shown_to_those_at_home(void **state)
{
	struct madeup m;
	(void)state;
	begin(&m);
	set_relays(&m, LEAVING("\"900\":" REGION("900", "one.example"), "\"901\":" REGION("901", "two.example")));
	shows(&m, true, MAP(OLD_900));
	home(&m, 0, 901);
	set_relays(&m, LEAVING("\"900\":" REGION("900", "other.example"), "\"901\":" REGION("901", "two.example")));
	shows(&m, true, SCORED("\"901\":1000", "\"900\":" REGION("900", "other.example") "," OLD_901));
	home(&m, 0, 900);
	shows(&m, true, SCORED("", "\"900\":" REGION("900", "other.example")));
	/* Scores once said are said with every map: clients keep those that are absent. */
	set_relays(&m, MAP(OURS));
	shows(&m, true, SCORED("", OURS));
	madeup_free(&m);
}

#define MARKED_901 \
	"\"901\":{\"RegionID\":901,\"RegionCode\":\"\",\"RegionName\":\"\",\"NoMeasureNoHome\":true,\"Nodes\":[{\"Name\":\"901a\",\"RegionID\":901," \
	"\"HostName\":\"two.example\"}]}"

/* A region that becomes nobody's home is the last choice first: marked, it would not be left by clients that hear packets there. */
static void the_installation_marks_a_home_last(void **state)
{
	struct madeup m;
	(void)state;
	begin(&m);
	home(&m, 0, 901);
	home(&m, 1, 901);
	set_relays(&m, LEAVING(OLD_900 "," MARKED_901, OLD_901));
	shows(&m, true, SCORED("\"901\":1000", OURS));
	home(&m, 0, 900);
	shows(&m, false, SCORED("\"901\":1000", OURS));
	/* Another map meanwhile changes nothing about that. */
	set_relays(&m, LEAVING("\"900\":" REGION("900", "other.example") "," MARKED_901, OLD_901));
	shows(&m, true, SCORED("\"901\":1000", "\"900\":" REGION("900", "other.example") "," OLD_901));
	home(&m, 1, 900);
	shows(&m, true, SCORED("", "\"900\":" REGION("900", "other.example") "," MARKED_901));
	/* And back. */
	set_relays(&m, MAP(OURS));
	shows(&m, true, SCORED("", OURS));
	madeup_free(&m);
}

static void the_installation_scores_its_own_regions(void **state)
{
	struct madeup m;
	(void)state;
	begin(&m);
	set_relays(&m, SCORED("\"900\":3,\"901\":1000", OURS));
	shows(&m, true, SCORED("\"900\":3,\"901\":1000", OURS));
	madeup_policy(&m, POLICY("\"Regions\": {" OWN("900", "own.example") "}"));
	shows(&m, true, SCORED("\"901\":1000", "\"900\":" REGION("900", "own.example") "," OLD_901));
	madeup_policy(&m, POLICY("\"Regions\": {\"901\": null}"));
	shows(&m, true, SCORED("\"900\":3", OLD_900));
	home(&m, 0, 901);
	set_relays(&m, SCORED("\"900\":3,\"901\":2", OURS));
	shows(&m, true, SCORED("\"900\":3,\"901\":1000", OURS));
	madeup_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_adds_replaces_and_removes),
		cmocka_unit_test(all_that_a_region_may_say),
		cmocka_unit_test(a_home_goes_last),
		cmocka_unit_test(a_home_is_marked_last),
		cmocka_unit_test(never_a_map_without_a_home),
		cmocka_unit_test(what_leaves_is_shown_to_those_at_home),
		cmocka_unit_test(the_installation_marks_a_home_last),
		cmocka_unit_test(the_installation_scores_its_own_regions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
