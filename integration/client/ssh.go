package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
	"tailscale.com/cmd/tailscaled/childproc"
	"tailscale.com/ipn"
	_ "tailscale.com/ssh/tailssh" // tsnet does not bring it along
)

// SSH: the client's own server runs in a node; another node logs in there.

func init() {
	operations["ssh_rules"] = sshRules
	operations["ssh"] = sshLogin
	operations["ssh_recorder"] = sshRecorder
}

// beChild: the SSH server starts this program again, as the user who logs in.
func beChild() {
	if len(os.Args) < 3 || os.Args[1] != "be-child" {
		return
	}
	run := childproc.Code[os.Args[2]]
	if run == nil {
		fmt.Fprintf(os.Stderr, "no child %q\n", os.Args[2])
		os.Exit(2)
	}
	if err := run(os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// sshRules tells by which rules the node's SSH server judges at this moment.
func sshRules(name string, _ json.RawMessage) (object, error) {
	n, err := findNode(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	bus, err := n.local.WatchIPNBus(ctx, ipn.NotifyInitialNetMap)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	for {
		said, err := bus.Next()
		if err != nil {
			return nil, err
		}
		if said.NetMap != nil {
			return object{"policy": said.NetMap.SSHPolicy}, nil
		}
	}
}

// sshLogin runs a command at another node. What the server says before it lets in comes as "ssh_banner" events, for somebody may have to act on it;
// the reply tells whether it did, and what the command said.
func sshLogin(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		Host    string `json:"host"`
		User    string `json:"user"`
		Command string `json:"command"`
		Tag     string `json:"tag"`
		MS      int    `json:"ms"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	limit := time.Duration(a.MS) * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	conn, err := n.server.Dial(ctx, "tcp", net.JoinHostPort(a.Host, "22"))
	if err != nil {
		return object{"connected": false, "in": false, "why": err.Error()}, nil
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	said := ""
	config := &ssh.ClientConfig{
		User:            a.User,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // WireGuard says who it is
		BannerCallback: func(text string) error {
			said += text
			event("ssh_banner", name, object{"tag": a.Tag, "text": text})
			return nil
		},
	}
	client, channels, requests, err := ssh.NewClientConn(conn, a.Host, config)
	if err != nil {
		return object{"connected": true, "in": false, "why": err.Error(), "banner": said}, nil
	}
	c := ssh.NewClient(client, channels, requests)
	defer c.Close()
	session, err := c.NewSession()
	if err != nil {
		return object{"connected": true, "in": true, "ran": false, "why": err.Error(), "banner": said}, nil
	}
	var stdout, stderr bytes.Buffer
	session.Stdout, session.Stderr = &stdout, &stderr
	err = session.Run(a.Command)
	status := 0
	if exit := (*ssh.ExitError)(nil); errors.As(err, &exit) {
		status = exit.ExitStatus()
	} else if err != nil {
		return object{"connected": true, "in": true, "ran": false, "why": err.Error(), "banner": said,
			"stdout": stdout.String(), "stderr": stderr.String()}, nil
	}
	return object{"connected": true, "in": true, "ran": true, "status": status, "banner": said,
		"stdout": stdout.String(), "stderr": stderr.String()}, nil
}

// sshRecorder takes recordings of sessions, in the older of the two forms, which servers of both releases fall back to: a "recorded" event for each.
func sshRecorder(name string, _ json.RawMessage) (object, error) {
	n, err := findNode(name)
	if err != nil {
		return nil, err
	}
	l, err := n.server.Listen("tcp", ":80")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /record", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return
		}
		event("recorded", name, object{"text": string(text)})
	})
	go http.Serve(l, mux)
	return nil, nil
}
