package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
	"tailscale.com/cmd/tailscaled/childproc"
	"tailscale.com/ipn"
	_ "tailscale.com/ssh/tailssh" // tsnet does not bring it along
)

// SSH: the client's own server runs in a node; another node logs in there.

func init() {
	operations["ssh_server"] = sshServer
	operations["ssh"] = sshLogin
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

// sshServer switches the node's SSH server on, or off.
func sshServer(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		On bool `json:"on"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	_, err = n.local.EditPrefs(context.Background(), &ipn.MaskedPrefs{Prefs: ipn.Prefs{RunSSH: a.On}, RunSSHSet: true})
	return nil, err
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
