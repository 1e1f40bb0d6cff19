//go:build !release164

package main

import (
	"tailscale.com/derp/derphttp"
	"tailscale.com/net/netmon"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
	"tailscale.com/types/logger"
)

func regionClient(private key.NodePrivate, logf logger.Logf, region func() *tailcfg.DERPRegion) *derphttp.Client {
	return derphttp.NewRegionClient(private, logf, netmon.NewStatic(), region)
}
