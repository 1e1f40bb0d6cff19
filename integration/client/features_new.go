//go:build !release164

package main

import (
	"context"

	_ "tailscale.com/feature/taildrop" // tsnet does not bring it along
	"tailscale.com/net/dns"
	"tailscale.com/tsnet"
)

func dnsManager(s *tsnet.Server) *dns.Manager { return s.Sys().DNSManager.Get() }

func askLocalAPI(ctx context.Context, s *tsnet.Server, name, kind string) ([]byte, error) {
	lc, err := s.LocalClient()
	if err != nil {
		return nil, err
	}
	answer, _, err := lc.QueryDNS(ctx, name, kind)
	return answer, err
}
