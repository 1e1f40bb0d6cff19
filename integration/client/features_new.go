//go:build !release164

package main

import (
	"context"

	"tailscale.com/client/local"
	_ "tailscale.com/feature/taildrop" // tsnet does not bring it along
	"tailscale.com/net/dns"
	"tailscale.com/tsnet"
)

type localClient = local.Client

func dnsManager(s *tsnet.Server) *dns.Manager { return s.Sys().DNSManager.Get() }

func askLocalAPI(ctx context.Context, lc *localClient, name, kind string) ([]byte, error) {
	answer, _, err := lc.QueryDNS(ctx, name, kind)
	return answer, err
}
