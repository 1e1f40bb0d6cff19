#include "duty.h"

void duty_take(struct tx *tx, enum duty duty)
{
	tx_arg_u64(tx, duty);
	tx_add(tx, "SELECT fleetscale.want(pg_try_advisory_xact_lock(hashtextextended('fleetscale duty ' || $1 || ' ' || fleetscale.current_tailnet(), 0)), "
		   "'FS007', 'another process does it')");
}
