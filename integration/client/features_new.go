//go:build !release164

package main

import (
	"context"

	"tailscale.com/client/local"
	_ "tailscale.com/feature/taildrop" // tsnet does not bring it along
	"tailscale.com/net/dns"
	"tailscale.com/tsd"
	"tailscale.com/tsnet"
)

type localClient = local.Client

func systemOf(s *tsnet.Server) *tsd.System { return s.Sys() }

func dnsManager(s *tsnet.Server) *dns.Manager { return systemOf(s).DNSManager.Get() }

func askLocalAPI(ctx context.Context, lc *localClient, name, kind string) ([]byte, error) {
	answer, _, err := lc.QueryDNS(ctx, name, kind)
	return answer, err
}
