// Command fsclient runs Tailscale nodes of one released client version for the
// integration tests. It reads one JSON request per line on stdin and writes one
// JSON reply or event per line on stdout. It holds any number of named nodes:
// real ones (tsnet) and raw ones (a bare control connection that prints every
// map response).
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/version"
)

// request is one line of stdin. Args is decoded by the operation itself.
type request struct {
	ID   int             `json:"id"`
	Op   string          `json:"op"`
	Node string          `json:"node"`
	Args json.RawMessage `json:"args"`
}

// object is what replies and events are made of.
type object = map[string]any

// out serialises lines on stdout.
var out struct {
	sync.Mutex
	enc *json.Encoder
}

func emit(v object) {
	out.Lock()
	defer out.Unlock()
	if err := out.enc.Encode(v); err != nil {
		os.Exit(1) // nobody listens any more
	}
}

// event tells the test something that happened now.
func event(kind, node string, fields object) {
	fields["event"] = kind
	fields["node"] = node
	fields["t"] = now()
	emit(fields)
}

// now is the time of day in seconds, comparable with the test's own clock.
func now() float64 { return float64(time.Now().UnixNano()) / 1e9 }

// operations by name; filled by the files that implement them.
var operations = map[string]func(node string, args json.RawMessage) (object, error){
	"version": func(string, json.RawMessage) (object, error) {
		return object{"release": version.Short(), "capver": tailcfg.CurrentCapabilityVersion}, nil
	},
}

func answer(r request) {
	f := operations[r.Op]
	if f == nil {
		emit(object{"id": r.ID, "error": fmt.Sprintf("no operation %q", r.Op)})
		return
	}
	result, err := f(r.Node, r.Args)
	if err != nil {
		emit(object{"id": r.ID, "error": err.Error()})
		return
	}
	if result == nil {
		result = object{}
	}
	result["t"] = now()
	emit(object{"id": r.ID, "ok": result})
}

func main() {
	beChild()
	out.enc = json.NewEncoder(os.Stdout)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var r request
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			emit(object{"id": 0, "error": "request is not JSON: " + err.Error()})
			continue
		}
		go answer(r)
	}
}

// decode reads an operation's arguments; none at all means the zero value.
func decode[T any](args json.RawMessage) (T, error) {
	var v T
	if len(args) == 0 {
		return v, nil
	}
	err := json.Unmarshal(args, &v)
	return v, err
}
