//go:build release164

package relaylist

import (
	"tailscale.com/derp/derphttp"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
	"tailscale.com/types/logger"
)

func regionClient(private key.NodePrivate, logf logger.Logf, region func() *tailcfg.DERPRegion) *derphttp.Client {
	return derphttp.NewRegionClient(private, logf, nil, region)
}

func urlClient(private key.NodePrivate, url string, logf logger.Logf) (*derphttp.Client, error) {
	return derphttp.NewClient(private, url, logf)
}
