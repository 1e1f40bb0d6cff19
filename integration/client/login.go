package main

import (
	"context"
	"encoding/json"

	"tailscale.com/ipn"
)

func init() {
	operations["login"] = loginNode
}

// loginNode is `tailscale login` of a node that runs: without a key its view tells the URL.
func loginNode(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		AuthKey string `json:"authkey"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	if a.AuthKey != "" {
		if err := n.local.Start(ctx, ipn.Options{AuthKey: a.AuthKey}); err != nil {
			return nil, err
		}
	}
	return nil, n.local.StartLoginInteractive(ctx)
}
