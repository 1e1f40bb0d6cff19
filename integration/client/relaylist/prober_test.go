//go:build !release164 && !release180

package relaylist

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"encoding/json"

	"golang.org/x/net/dns/dnsmessage"
	"tailscale.com/prober"
	"tailscale.com/tailcfg"
)

// resolve makes names of this test known to this process, by a DNS server inside it.
func resolve(names map[string]string) {
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go answer(far, names)
		return near, nil
	}}
}

func answer(c net.Conn, names map[string]string) {
	defer c.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		var p dnsmessage.Parser
		head, err := p.Start(query)
		if err != nil {
			return
		}
		q, err := p.Question()
		if err != nil {
			return
		}
		at, known := names[strings.TrimSuffix(q.Name.String(), ".")]
		reply := dnsmessage.Header{ID: head.ID, Response: true, RecursionAvailable: true}
		if !known {
			reply.RCode = dnsmessage.RCodeNameError
		}
		b := dnsmessage.NewBuilder(make([]byte, 2, 512), reply)
		b.StartQuestions()
		b.Question(q)
		b.StartAnswers()
		if known && q.Type == dnsmessage.TypeA {
			b.AResource(dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}, dnsmessage.AResource{A: [4]byte(net.ParseIP(at).To4())})
		}
		out, err := b.Finish()
		if err != nil {
			return
		}
		binary.BigEndian.PutUint16(out, uint16(len(out)-2))
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// The official prober, as derpprobe runs it: TLS and STUN of each node, a packet and then many (30 in flight) for each ordered pair.
// It wants host names, and certificates that it can check.
func TestProber(t *testing.T) {
	one := prepare(t, how{tls: true, meshKey: meshKey, name: "one.relay.test"})
	two := prepare(t, how{tls: true, meshKey: meshKey, name: "two.relay.test"})
	resolve(map[string]string{one.name: one.host, two.name: two.host})
	var trusted []byte
	for _, r := range []*relay{one, two} {
		text, err := os.ReadFile(filepath.Join(r.folder, "relay.crt"))
		if err != nil {
			t.Fatal(err)
		}
		trusted = append(trusted, text...)
	}
	os.Setenv("SSL_CERT_FILE", one.file("both", string(trusted))) // read once, by the first who checks a certificate
	one.siblings, two.siblings = []*relay{two}, []*relay{one}
	one.launch()
	two.launch()
	one.awaitCount(1, "derp_watchers")
	two.awaitCount(1, "derp_watchers")
	region := &tailcfg.DERPRegion{RegionID: 900, RegionCode: "list"}
	want := map[string]bool{"derpmap-probe": true}
	for i, r := range []*relay{one, two} {
		node := r.region().Nodes[0]
		node.Name, node.IPv6, node.InsecureForTests = fmt.Sprintf("900%c", 'a'+i), "", false
		region.Nodes = append(region.Nodes, node)
		want["derp/list/"+node.Name+"/tls"], want["derp/list/"+node.Name+"/udp"] = true, true
		for _, to := range []string{"900a", "900b"} {
			want["derp/list/"+node.Name+"/"+to+"/mesh"], want["derp/list/"+node.Name+"/"+to+"/bw"] = true, true
		}
	}
	maps := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(&tailcfg.DERPMap{Regions: map[int]*tailcfg.DERPRegion{900: region}})
	}))
	defer maps.Close()
	const often = 10 * time.Second // once each; it gives up a little before
	// It allows presence 100 ms, which a busy machine may exceed: what failed is probed again.
	good := map[string]bool{}
	for end := time.Now().Add(3 * patience); len(good) < len(want); {
		p := prober.New().WithSpread(false).WithOnce(true)
		dp, err := prober.DERP(p, maps.URL, prober.WithMeshProbing(often), prober.WithSTUNProbing(often), prober.WithTLSProbing(often),
			prober.WithBandwidthProbing(often, 200*65536, ""))
		if err != nil {
			t.Fatal(err)
		}
		p.Run("derpmap-probe", often, nil, dp.ProbeMap)
		p.Wait()
		for name, info := range p.ProbeInfo() {
			t.Logf("%s: %v %v", name, info.Latency, info.Error)
			if info.Status == prober.ProbeStatusSucceeded {
				good[name] = true
			}
		}
		if time.Now().After(end) {
			t.Fatalf("good are only %v", good)
		}
	}
	for name := range want {
		if !good[name] {
			t.Fatalf("%s was not probed", name)
		}
	}
}
