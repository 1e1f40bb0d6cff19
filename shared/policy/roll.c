#include "roll.h"

#include <stdlib.h>

#include "route.h"

const struct roll_user *roll_user(const struct roll *roll, uint64_t id)
{
	size_t low = 0, high = roll->user_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint64_t here = roll->users[middle].user->id;
		if (here == id)
			return &roll->users[middle];
		if (here < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool roll_is_login(const struct user *user, struct bytes login)
{
	if (login.len && login.at[login.len - 1] == '@')
		return bytes_equal(user->name, bytes_take(login, login.len - 1));
	return bytes_equal(user_login_name(user), login) || bytes_equal(user->name, login);
}

static bool is_approved(const struct node *node, struct prefix route)
{
	for (size_t i = 0; i < node->approved_count; i++)
		if (!prefix_compare(prefix_masked(node->routes_approved[i]), route))
			return true;
	return false;
}

static int by_prefix(const void *a, const void *b)
{
	return prefix_compare(*(const struct prefix *)a, *(const struct prefix *)b);
}

size_t roll_subnet_routes(const struct node *node, struct prefix *out)
{
	size_t count = 0;
	for (size_t i = 0; i < node->advertised_count; i++) {
		struct prefix route = prefix_masked(node->routes_advertised[i]);
		bool served = !route_is_exit(route) && count < node->approved_count && is_approved(node, route);
		for (size_t k = 0; served && k < count; k++)
			served = prefix_compare(out[k], route) != 0;
		if (served)
			out[count++] = route;
	}
	if (count)
		qsort(out, count, sizeof *out, by_prefix);
	return count;
}

bool roll_is_exit(const struct node *node)
{
	for (size_t i = 0; i < node->advertised_count; i++) {
		struct prefix route = prefix_masked(node->routes_advertised[i]);
		if (route_is_exit(route) && is_approved(node, route))
			return true;
	}
	return false;
}
