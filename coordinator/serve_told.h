/* What a node tells of itself beside its reports, behind Noise: attributes, warnings of its client, that its user disconnects it,
 * that a session at its SSH server was not recorded.
 * Not lite updates (serve_map.h). Refusals are plain text: the client shows it.
 * Source: docs/protocol/identity.md (tailscale tailcfg/tailcfg.go: SetDeviceAttributesRequest, HealthChangeRequest, AuditLogRequest, SSHEventNotifyRequest), ssh.md. */
#ifndef SERVE_TOLD_H
#define SERVE_TOLD_H

#include "exchange.h"

void serve_attributes(struct exchange *x); /* PATCH /machine/set-device-attr: 200 {} */
void serve_warning(struct exchange *x);    /* POST /machine/update-health: 204 */
void serve_auditlog(struct exchange *x);   /* POST /machine/audit-log: 200 {} */
void serve_sshnotify(struct exchange *x);  /* POST /machine/ssh/notify: 201 */

#endif
