//go:build !release164

package main

import "tailscale.com/tsnet"

// advertiseTags asks for tags at registration. It says whether the release can.
func advertiseTags(s *tsnet.Server, tags []string) bool {
	s.AdvertiseTags = tags
	return true
}
