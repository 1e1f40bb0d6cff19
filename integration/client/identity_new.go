//go:build !release164

package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"tailscale.com/ipn/auditlog"
	"tailscale.com/ipn/ipnext"
	"tailscale.com/tailcfg"
	"tailscale.com/types/logger"
)

// The client's own audit logger, which the apps for Windows and macOS have: its
// queue is kept in the machine's folder.

func init() {
	auditlog.SetStoreFilePath(filepath.Join(os.Getenv("HOME"), "audit.json"))
	ipnext.RegisterExtension("fsclient", func(logger.Logf, ipnext.SafeBackend) (ipnext.Extension, error) {
		return &hosted{}, nil
	})
	operations["audit"] = auditNode
}

// hosted keeps the host of the node that started last: one node per machine audits.
type hosted struct{}

var host struct {
	sync.Mutex
	last ipnext.Host
}

func (*hosted) Name() string { return "fsclient" }

func (*hosted) Init(h ipnext.Host) error {
	host.Lock()
	defer host.Unlock()
	host.last = h
	return nil
}

func (*hosted) Shutdown() error { return nil }

// auditNode is what the app does when its user disconnects with a reason.
func auditNode(_ string, args json.RawMessage) (object, error) {
	a, err := decode[struct {
		Details string `json:"details"`
	}](args)
	if err != nil {
		return nil, err
	}
	host.Lock()
	h := host.last
	host.Unlock()
	if h == nil {
		return nil, errors.New("no node here")
	}
	return nil, h.AuditLogger()(tailcfg.AuditNodeDisconnect, a.Details)
}
