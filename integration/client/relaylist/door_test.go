//go:build !release164 && !release180

package relaylist

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"tailscale.com/types/key"
)

func TestUpgradeReply(t *testing.T) {
	overStreams(t, how{}, func(t *testing.T, r *relay, _ dialer) {
		w := r.dial(0)
		res := w.switches()
		w.serverKey()
		for name, want := range map[string]string{"Upgrade": "DERP", "Connection": "Upgrade", "Derp-Version": "2",
			"Derp-Public-Key": strings.TrimPrefix(w.relay.String(), "nodekey:")} {
			if got := res.Header.Get(name); !strings.EqualFold(got, want) {
				t.Fatalf("%s: %q, not %q", name, got, want)
			}
		}
		// Very old clients name a WebSocket without its sub-protocol, and speak DERP.
		for _, spelt := range []string{"derp", "DERP", "WebSocket"} {
			w := r.dial(0)
			w.say([]byte(strings.Replace(upgrade, "Upgrade: DERP", "Upgrade: "+spelt, 1) + "\r\n"))
			res, err := http.ReadResponse(w.in, nil)
			if err != nil || res.StatusCode != 101 {
				t.Fatalf("%s: %v %v", spelt, res, err)
			}
			w.serverKey()
			w.say(w.info(usualInfo))
			w.expect(frameServerInfo)
		}
	})
}

// What the client says behind its request, in one piece with it, is not lost.
func TestBytesBehindTheRequest(t *testing.T) {
	overStreams(t, how{}, func(t *testing.T, r *relay, _ dialer) {
		known := r.dial(0)
		known.switches()
		known.serverKey()
		w := r.dial(0)
		w.relay = known.relay
		w.say(append([]byte(upgrade+"\r\n"), w.info(usualInfo)...))
		if res, err := http.ReadResponse(w.in, nil); err != nil || res.StatusCode != 101 {
			t.Fatal(res, err)
		}
		w.serverKey()
		w.expect(frameServerInfo)
		w.ping()
	})
}

func TestProbe(t *testing.T) {
	overStreams(t, how{}, func(t *testing.T, r *relay, _ dialer) {
		for _, path := range []string{"/derp/probe", "/derp/latency-check"} {
			for _, method := range []string{"GET", "HEAD"} {
				status, headers, body := r.get(method, path, nil)
				if status != 200 || body != "" || headers.Get("Access-Control-Allow-Origin") != "*" {
					t.Fatal(method, path, status, headers, body)
				}
			}
			if status, _, body := r.get("POST", path, nil); status != 405 || strings.TrimSpace(body) != "bogus probe method" {
				t.Fatal(path, status, body)
			}
		}
		for _, headers := range []map[string]string{nil, {"Upgrade": "h2c", "Connection": "Upgrade"}} {
			if status, _, body := r.get("GET", "/derp", headers); status != 426 || body != "DERP requires connection upgrade\n" {
				t.Fatal(status, body)
			}
		}
	})
}

func TestNoContent(t *testing.T) {
	r := start(t, how{tls: true, port80: true})
	for _, url := range []string{r.url("/generate_204"), "http://" + r.host + "/generate_204?t=1"} {
		for challenge, good := range map[string]bool{"": false, "x": true, "ts_" + r.host: true, "aZ09.-_:": true, strings.Repeat("y", 64): true,
			strings.Repeat("y", 65): false, "a b": false, "a\"b": false, "ü": false, "a/b": false} {
			status, headers, body := ask(t, "GET", url, map[string]string{"X-Tailscale-Challenge": challenge})
			want := ""
			if good {
				want = "response " + challenge
			}
			if status != 204 || body != "" || headers.Get("X-Tailscale-Response") != want {
				t.Fatalf("%q: %d %v", challenge, status, headers)
			}
			if headers.Get("Cache-Control") != "no-cache, no-store, must-revalidate, no-transform, max-age=0" {
				t.Fatal(headers)
			}
		}
	}
}

// On port 80 everything else is told to use HTTPS.
func TestPort80(t *testing.T) {
	r := start(t, how{tls: true, port80: true})
	for _, method := range []string{"GET", "HEAD"} {
		status, headers, _ := ask(t, method, "http://"+r.host+"/some/path", nil)
		if status != 302 || headers.Get("Location") != "https://"+r.host+"/some/path" {
			t.Fatal(method, status, headers)
		}
	}
	status, _, body := ask(t, "POST", "http://"+r.host+"/derp", nil)
	if status != 400 || strings.TrimSpace(body) != "Use HTTPS" {
		t.Fatal(status, body)
	}
	// DERP itself is not spoken there.
	status, _, _ = ask(t, "GET", "http://"+r.host+"/derp", map[string]string{"Connection": "Upgrade", "Upgrade": "DERP"})
	if status != 302 {
		t.Fatal(status)
	}
}

func TestHomePage(t *testing.T) {
	r := start(t, how{tls: true})
	for _, path := range []string{"/", "/robots.txt", "/bootstrap-dns", "/nowhere"} {
		status, headers, body := r.get("GET", path, nil)
		if status != 200 {
			t.Fatal(path, status)
		}
		if path == "/robots.txt" && !strings.HasPrefix(body, "User-agent: *\nDisallow: /\n") {
			t.Fatal(body)
		}
		if path == "/" && !bytes.Contains([]byte(body), []byte("<html")) {
			t.Fatal(body)
		}
		if headers.Get("Strict-Transport-Security") != "max-age=63072000; includeSubDomains" || headers.Get("X-Frame-Options") != "DENY" ||
			headers.Get("X-Content-Type-Options") != "nosniff" || headers.Get("Content-Security-Policy") == "" {
			t.Fatal(path, headers)
		}
	}
}

// Names that are told to everybody, and such that are told to those who know them. There is no resolver here: the machine itself knows this name.
func TestBootstrapDNS(t *testing.T) {
	const known = `"localhost":["127.0.0.1"`
	for _, hidden := range []bool{false, true} {
		h := how{tls: true, published: "localhost"}
		if hidden {
			h = how{tls: true, unpublished: "localhost"}
		}
		r := start(t, h)
		look := func(query string) string {
			t.Helper()
			status, headers, body := r.get("GET", "/bootstrap-dns"+query, nil)
			if status != 200 || (body != "" && headers.Get("Content-Type") != "application/json") {
				t.Fatal(status, headers)
			}
			return strings.Join(strings.Fields(body), "")
		}
		for end := time.Now().Add(patience); !strings.Contains(look("?q=localhost"), known); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(look("?q=localhost"))
			}
		}
		for _, query := range []string{"", "?q=", "?q=elsewhere.example", "?q=local", "?p=localhost"} {
			if strings.Contains(look(query), known) == hidden {
				t.Fatalf("hidden %v, %q: %s", hidden, query, look(query))
			}
		}
	}
}

func TestNoBootstrapDNS(t *testing.T) {
	r := start(t, how{})
	if status, _, body := r.get("GET", "/bootstrap-dns?q=localhost", nil); status != 200 || strings.TrimSpace(body) != "" {
		t.Fatal(status, body)
	}
}

// Operators' pages are for this machine and for the tailnet; never through a proxy.
func TestDebugAccess(t *testing.T) {
	r := start(t, how{tls: true})
	r.join()
	for _, path := range []string{"/debug/", "/debug/vars", "/debug/varz", "/debug/check"} {
		if status, _, body := r.get("GET", path, nil); status != 200 || body == "" {
			t.Fatal(path, status, body)
		}
		status, _, body := r.get("GET", path, map[string]string{"X-Forwarded-For": "127.0.0.1"})
		if status != 403 || !strings.HasPrefix(body, "debug access denied") {
			t.Fatal(path, status, body)
		}
	}
	_, _, body := r.get("GET", "/debug/check", nil)
	contains(t, body, "okay")
}

// A client at another node than its first choice says so.
func TestNotIdeal(t *testing.T) {
	r := start(t, how{tls: true})
	r.join()
	r.awaitCount(0, "derp_current_notideal_connections")
	w := r.dial(0)
	w.say([]byte(upgrade + "Ideal-Node: 900z\r\n\r\n"))
	if res, err := http.ReadResponse(w.in, nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	w.serverKey()
	w.say(w.info(usualInfo))
	w.expect(frameServerInfo)
	r.awaitCount(1, "derp_current_notideal_connections")
	w.Close()
	r.awaitCount(0, "derp_current_notideal_connections")
}

// ---- admission ----

func admits(t *testing.T, r *relay, want bool) {
	t.Helper()
	_, err := r.tryJoin(false, key.NewNode())
	if (err == nil) != want {
		t.Fatalf("admitted: %v, though %v was due (%v)", err == nil, want, err)
	}
}

func TestAdmission(t *testing.T) {
	type answer struct {
		name   string
		status int
		body   string
		want   bool
	}
	answers := []answer{{"allowed", 200, `{"Allow":true}`, true}, {"allowed, and more", 200, `{"Allow":true,"Other":[1]}`, true}, {"refused", 200, `{"Allow":false}`, false},
		{"nothing said", 200, `{}`, false}, {"another status", 201, `{"Allow":true}`, false}, {"no JSON", 200, `yes`, false}, {"empty", 200, ``, false},
		{"not even this", 403, `{"Allow":true}`, false}, {"too long", 200, `{"Allow":true,"x":"` + strings.Repeat("y", 5000) + `"}`, false}}
	if kind == "derper" { // ours has several to ask: these are no answer, and the next one is asked
		answers = append(answers, answer{"broken", 500, `{"Allow":true}`, false})
	}
	current := make(chan answer, 1)
	var asked []byte
	r := start(t, how{failOpen: true, admission: func(w http.ResponseWriter, req *http.Request) {
		a := <-current
		current <- a
		asked = make([]byte, req.ContentLength)
		req.Body.Read(asked)
		w.WriteHeader(a.status)
		w.Write([]byte(a.body))
	}})
	for _, a := range answers {
		current <- a
		t.Log(a.name)
		admits(t, r, a.want)
		<-current
	}
	if !bytes.Contains(asked, []byte(`"NodePublic":"nodekey:`)) || !bytes.Contains(asked, []byte(`"Source":"127.`)) {
		t.Fatalf("asked by %s", asked)
	}
}

// While nobody answers: by choice all or none.
func TestAdmissionFails(t *testing.T) {
	for _, open := range []bool{true, false} {
		hang := make(chan struct{})
		r := start(t, how{failOpen: open, admission: func(_ http.ResponseWriter, req *http.Request) {
			select {
			case <-hang:
			case <-req.Context().Done():
			}
		}})
		begun := time.Now()
		w := r.dial(0)
		w.switches()
		w.serverKey()
		w.say(w.info(usualInfo))
		got, _, err := w.frame()
		if open != (err == nil && got == frameServerInfo) {
			t.Fatalf("fail-open %v: %v %v", open, got, err)
		}
		if took := time.Since(begun); took > 8*time.Second {
			t.Fatalf("decided after %v", took)
		}
		close(hang)
		r.admitter.Close()
		admits(t, r, open)
	}
}
