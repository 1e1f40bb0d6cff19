//go:build release164

package main

import "tailscale.com/tsnet"

// advertiseTags: tsnet of 1.64 has no such field.
func advertiseTags(*tsnet.Server, []string) bool { return false }
