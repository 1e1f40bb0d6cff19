// Package relaylist is what a relay must show to those outside, item by item: each test starts a
// relay of its own and speaks to it by the official client, or by bare sockets where that client
// cannot misbehave. RELAYLIST_SERVER says which relay ("ours" or "derper"), RELAYLIST_PROGRAM where it is.
package relaylist

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	patience = 20 * time.Second // on a loaded machine; nobody waits so long otherwise
	ending   = 3 * patience     // behind a program's last word its sanitizer looks for leaks
)

// The relay that is looked at, and the stock one, which may be beside it in a mesh.
var kind, program, stock = os.Getenv("RELAYLIST_SERVER"), os.Getenv("RELAYLIST_PROGRAM"), os.Getenv("RELAYLIST_STOCK")

func TestMain(m *testing.M) {
	listing := false
	for _, arg := range os.Args[1:] {
		listing = listing || strings.Contains(arg, "test.list")
	}
	if !listing && ((kind != "ours" && kind != "derper") || program == "" || stock == "") {
		fmt.Fprintln(os.Stderr, "relaylist: RELAYLIST_SERVER is ours or derper, RELAYLIST_PROGRAM its program, RELAYLIST_STOCK that of derper")
		os.Exit(2)
	}
	http.DefaultTransport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	os.Exit(m.Run())
}

// how says what a relay is to be like.
type how struct {
	kind                   string // ours or derper; empty: the one that is looked at
	name                   string // how clients call it; empty: its address
	everywhere             int    // a port for DERP and for STUN, on all addresses of the machine
	tls                    bool
	port80                 bool
	second                 string           // another host name with a certificate of its own
	ownCertificate         bool             // the relay makes its own, and tells how it is known
	admission              http.HandlerFunc // nil: everybody is admitted
	failOpen               bool
	rate, burst            int // bytes per second and client; 0: none
	published, unpublished string
	meshKey                string   // 64 hexadecimal digits
	meshKeyBefore          string   // while it changes; ours alone
	lease                  int      // seconds; ours announces itself three times in each
	siblings               []*relay // of its region
	extra                  []string // lines of options (ours), or words (derper)
}

type relay struct {
	how
	t         *testing.T
	host      string // an address of its own, so that ports are free
	port      int
	folder    string
	leaf      *x509.Certificate
	process   *exec.Cmd
	ended     chan struct{}
	admitter  *http.Server
	announced chan string // the certificate's name, as the relay tells it
	telling   sync.Mutex  // what it is told, while it runs
}

var addresses struct {
	sync.Mutex
	given int
}

// address is one of 127.0.0.0/8 that no other process and no other relay of this one uses; other journeys have theirs below 127.100.0.0.
func address() string {
	addresses.Lock()
	defer addresses.Unlock()
	n, pid := addresses.given, os.Getpid()
	addresses.given++
	return fmt.Sprintf("127.%d.%d.%d", 100+(pid>>12+n>>4*37)%150, pid>>4&255, pid&15<<4|n&15)
}

func start(t *testing.T, h how) *relay {
	t.Helper()
	r := prepare(t, h)
	r.launch()
	return r
}

func prepare(t *testing.T, h how) *relay {
	t.Helper()
	r := &relay{how: h, t: t, host: address(), port: 3340, folder: t.TempDir(), announced: make(chan string, 1)}
	if r.kind == "" {
		r.kind = kind
	}
	if r.name == "" {
		r.name = r.host
	}
	if h.tls {
		r.port = 443
	}
	if h.everywhere > 0 {
		r.port = h.everywhere
	}
	if h.tls && !h.ownCertificate {
		if h.second != "" {
			r.makeCertificate("second", h.second)
		}
		r.makeCertificate("relay", r.name)
	}
	return r
}

func (r *relay) at() string { return net.JoinHostPort(r.host, strconv.Itoa(r.port)) }

// listens is where, as options say it.
func (r *relay) listens() string {
	if r.everywhere > 0 {
		return fmt.Sprintf(":%d", r.port)
	}
	return r.at()
}

func (r *relay) stunPort() int {
	if r.everywhere > 0 {
		return r.everywhere
	}
	return 3478
}

func (r *relay) url(path string) string {
	if r.tls {
		return "https://" + r.name + path
	}
	return "http://" + r.at() + path
}

func (r *relay) file(name, content string) string {
	r.t.Helper()
	path := filepath.Join(r.folder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// makeCertificate writes NAME.crt and NAME.key for a host that nobody vouches for.
func (r *relay) makeCertificate(name, host string) {
	r.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	like := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour)}
	if ip := net.ParseIP(host); ip != nil {
		like.IPAddresses = []net.IP{ip}
	} else {
		like.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, like, like, private.Public(), private)
	if err != nil {
		r.t.Fatal(err)
	}
	r.leaf, _ = x509.ParseCertificate(der)
	secret, _ := x509.MarshalPKCS8PrivateKey(private)
	r.file(name+".crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	r.file(name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

func (r *relay) launch() {
	r.t.Helper()
	r.begin()
	r.t.Cleanup(r.stop)
	r.await()
}

// begin starts the program.
func (r *relay) begin() {
	r.t.Helper()
	r.admit()
	words, path := r.ours, program
	if r.kind == "derper" {
		words, path = r.derper, stock
	}
	r.process = exec.Command(path, words()...)
	r.process.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(r.folder, "trusted"))
	var trusted []byte
	for _, s := range r.siblings {
		text, _ := os.ReadFile(filepath.Join(s.folder, "relay.crt"))
		trusted = append(trusted, text...)
	}
	r.file("trusted", string(trusted))
	log, err := os.OpenFile(filepath.Join(r.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	r.process.Stdout, r.process.Stderr = log, log
	r.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.ended = make(chan struct{})
	go func(p *exec.Cmd, ended chan struct{}) {
		p.Wait()
		close(ended)
	}(r.process, r.ended)
}

func (r *relay) await() {
	r.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(r.url("/derp/probe"))
		if err == nil {
			res.Body.Close()
			if res.StatusCode == 200 && (!r.port80 || r.answersAt(80)) && r.isComplete() {
				return
			}
		}
		select {
		case <-r.ended:
			r.t.Fatalf("the relay does not start:\n%s", r.log())
		default:
		}
		if time.Now().After(end) {
			r.t.Fatalf("the relay does not answer: %v\n%s", err, r.log())
		}
	}
}

// The threads of ours open their doors one after the other, and send clients away until the last one has.
func (r *relay) isComplete() bool {
	if r.kind != "ours" {
		return true
	}
	_, _, text := ask(r.t, "GET", "http://"+r.host+":8001/readyz", nil)
	return !strings.Contains(text, "starting")
}

// The stock relay opens its doors one after the other.
func (r *relay) answersAt(port int) bool {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", r.host, port), patience)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func (r *relay) log() string {
	text, _ := os.ReadFile(filepath.Join(r.folder, "log"))
	return string(text[max(0, len(text)-6000):])
}

// kill ends it without a word.
func (r *relay) kill() {
	r.process.Process.Kill()
	<-r.ended
	r.process = nil
}

// stop ends it in order; ours must end cleanly and without a word of a sanitizer.
func (r *relay) stop() {
	if r.process == nil {
		if r.admitter != nil {
			r.admitter.Close()
			r.admitter = nil
		}
		return
	}
	signal := syscall.SIGTERM
	if r.kind == "derper" {
		signal = syscall.SIGKILL
	}
	select {
	case <-r.ended:
		r.t.Errorf("the relay ended by itself:\n%s", r.log())
	default:
		r.process.Process.Signal(signal)
		select {
		case <-r.ended:
		case <-time.After(ending):
			r.process.Process.Kill()
			r.t.Errorf("the relay does not end:\n%s", r.log())
		}
	}
	if text := r.log(); r.kind == "ours" && (strings.Contains(text, "privkey:") || (r.meshKey != "" && strings.Contains(text, r.meshKey))) {
		r.t.Errorf("a secret is in the log:\n%s", text)
	}
	if code := r.process.ProcessState.ExitCode(); r.kind == "ours" && code != 0 {
		r.t.Errorf("the relay ended with status %d:\n%s", code, r.log())
	}
	r.process = nil
	if r.admitter != nil {
		r.admitter.Close()
		r.admitter = nil
	}
	if r.t.Failed() {
		r.t.Logf("log of %s:\n%s", r.host, r.log())
	}
}

// admit answers what relays ask: whether a key may connect, and ours where it belongs.
func (r *relay) admit() {
	if r.admitter != nil || (r.kind == "derper" && r.admission == nil) {
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/relay/v1/announce", func(w http.ResponseWriter, req *http.Request) {
		var said struct{ CertName string }
		json.NewDecoder(req.Body).Decode(&said)
		select {
		case r.announced <- said.CertName:
		default:
		}
		r.telling.Lock()
		defer r.telling.Unlock()
		var siblings []string
		for _, s := range r.siblings {
			siblings = append(siblings, fmt.Sprintf(`{"Name":"at-%[1]s","HostName":"%[3]s","IPv4":"%[1]s","IPv6":"none","DERPPort":443,"CertName":"%[2]s"}`,
				s.host, s.pin(), s.name))
		}
		fmt.Fprintf(w, `{"RegionID":900,"RegionCode":"list","Name":"at-%s","LeaseSeconds":%d,"MeshKey":"%s","MeshKeyBefore":"%s","Siblings":[%s]}`,
			r.host, cmp.Or(r.lease, 15), r.meshKey, r.meshKeyBefore, strings.Join(siblings, ","))
	})
	admission := r.admission
	if admission == nil {
		admission = func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"Allow":true}`) }
	}
	mux.HandleFunc("/relay/v1/verify", admission)
	mux.HandleFunc("/verify", admission)
	l, err := net.Listen("tcp", net.JoinHostPort(r.host, "8000"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.admitter = &http.Server{Handler: mux}
	go r.admitter.Serve(l)
}

func (r *relay) rateFile(rate, burst int) string {
	return r.file("rate.json", fmt.Sprintf(`{"PerClientRateLimitBytesPerSec":%d,"PerClientRateBurstBytes":%d}`, rate, burst))
}

func (r *relay) derper() []string {
	words := []string{"-c", filepath.Join(r.folder, "key.json"), "-a", r.listens(), "-stun-port", strconv.Itoa(r.stunPort()), "-hostname", r.name}
	if r.tls {
		words = append(words, "-certmode", "manual", "-certdir", r.folder)
		for _, end := range []string{".crt", ".key"} {
			if r.ownCertificate {
				break
			}
			text, _ := os.ReadFile(filepath.Join(r.folder, "relay"+end))
			r.file(r.name+end, string(text))
		}
	}
	if r.port80 {
		words = append(words, "-http-port", "80")
	} else {
		words = append(words, "-http-port", "-1")
	}
	if r.admission != nil {
		words = append(words, "-verify-client-url", "http://"+r.host+":8000/verify", fmt.Sprintf("-verify-client-url-fail-open=%v", r.failOpen))
	}
	if r.rate > 0 {
		words = append(words, "-rate-config", r.rateFile(r.rate, r.burst))
	}
	if r.published != "" {
		words = append(words, "-bootstrap-dns-names", r.published)
	}
	if r.unpublished != "" {
		words = append(words, "-unpublished-bootstrap-dns-names", r.unpublished)
	}
	if r.meshKey != "" {
		words = append(words, "-mesh-psk-file", r.file("mesh.key", r.meshKey+"\n"))
	}
	var siblings []string
	for _, s := range r.siblings {
		siblings = append(siblings, s.name+"/"+s.host)
	}
	if len(siblings) > 0 {
		words = append(words, "-mesh-with", strings.Join(siblings, ","))
	}
	return append(words, r.extra...)
}

func (r *relay) ours() []string {
	stunAt := r.host + ":3478"
	if r.everywhere > 0 {
		stunAt = fmt.Sprintf("'[::]:%d'", r.everywhere)
	}
	lines := []string{"listen.relay: " + r.at(), "listen.stun: " + stunAt, "listen.operations: " + r.host + ":8001", "coordinators: http://" + r.host + ":8000", "relay.token: hskey-relay-list",
		"relay.hostname: " + r.name, "threads: 2", "log.level: info", fmt.Sprintf("verify.fail_open: %v", r.failOpen), "verify.refused: 0s"}
	if r.ownCertificate {
		lines = append(lines, "relay.own_certificate: "+r.folder)
	} else if r.tls {
		certificate, secret := filepath.Join(r.folder, "relay.crt"), filepath.Join(r.folder, "relay.key")
		if r.second != "" {
			certificate += ", " + filepath.Join(r.folder, "second.crt")
			secret += ", " + filepath.Join(r.folder, "second.key")
		}
		lines = append(lines, "tls.certificate: "+certificate, "tls.key: "+secret)
	}
	if r.port80 {
		lines = append(lines, "listen.plain: "+r.host+":80")
	}
	if r.rate > 0 {
		lines = append(lines, "limits.rate_file: "+r.rateFile(r.rate, r.burst))
	}
	if r.published != "" {
		lines = append(lines, "bootstrap.names: "+r.published)
	}
	if r.unpublished != "" {
		lines = append(lines, "bootstrap.hidden_names: "+r.unpublished)
	}
	return []string{"--config", r.file("options", strings.Join(append(lines, r.extra...), "\n")+"\n")}
}

// ---- what it counts ----

var series = regexp.MustCompile(`(?m)^([a-z0-9_]+)(?:\{([^}]*)\})? ([0-9.e+]+)$`)

// counted is a variable by the name that derper gives it; labels as "reason=queue_head". What has several series is summed.
func (r *relay) counted(name string, labels ...string) int {
	r.t.Helper()
	status, _, body := r.get("GET", "/debug/varz", nil)
	if status != 200 {
		r.t.Fatalf("/debug/varz: %d %s", status, body)
	}
	total, found := sum(body, name, labels)
	if !found && r.kind == "ours" {
		r.t.Fatalf("no variable %s %v in\n%s", name, labels, body)
	}
	return total
}

// sum adds the series of a metric that have these labels.
func sum(text, name string, labels []string) (int, bool) {
	total, found := 0.0, false
	for _, m := range series.FindAllStringSubmatch(text, -1) {
		if m[1] != name {
			continue
		}
		fits := true
		for _, l := range labels {
			key, value, _ := strings.Cut(l, "=")
			fits = fits && strings.Contains(m[2], key+`="`+value+`"`)
		}
		if fits {
			value, _ := strconv.ParseFloat(m[3], 64)
			total, found = total+value, true
		}
	}
	return int(total), found
}

func (r *relay) awaitCount(want int, name string, labels ...string) {
	r.t.Helper()
	r.awaitCounted(func(got int) bool { return got == want }, fmt.Sprint(want), name, labels)
}

// awaitLeast is for what others, or tries made again, may have raised as well.
func (r *relay) awaitLeast(least int, name string, labels ...string) {
	r.t.Helper()
	r.awaitCounted(func(got int) bool { return got >= least }, fmt.Sprintf("%d or more", least), name, labels)
}

// Who has an answer in its hands may be quicker than the relay, which counts it once it is sent.
func (r *relay) awaitCounted(good func(got int) bool, want, name string, labels []string) {
	r.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got := r.counted(name, labels...)
		if good(got) {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("%s %v is %d, not %s", name, labels, got, want)
		}
	}
}

// complaints is a counter that ours alone has, for what the stock relay only logs: labels as in counted. 0 at the stock relay.
func (r *relay) complaints(name string, labels ...string) int {
	r.t.Helper()
	if r.kind != "ours" {
		return 0
	}
	status, _, body := ask(r.t, "GET", "http://"+r.host+":8001/metrics", nil)
	if status != 200 {
		r.t.Fatalf("/metrics: %d %s", status, body)
	}
	total, found := sum(body, "fleetscale_"+name, labels)
	if !found {
		r.t.Fatalf("no metric %s %v in\n%s", name, labels, body)
	}
	return total
}

// awaitMore waits until ours has counted so many more.
func (r *relay) awaitMore(before, more int, name string, labels ...string) {
	r.t.Helper()
	if r.kind != "ours" {
		return
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got := r.complaints(name, labels...)
		if got == before+more {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("%s %v is %d, not %d", name, labels, got, before+more)
		}
	}
}

// ---- HTTP ----

// get is one request without redirects.
func (r *relay) get(method, path string, headers map[string]string) (int, http.Header, string) {
	r.t.Helper()
	return ask(r.t, method, r.url(path), headers)
}

func ask(t *testing.T, method, url string, headers map[string]string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	client := http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

func (r *relay) pin() string {
	sum := sha256.Sum256(r.leaf.Raw)
	return "sha256-raw:" + hex.EncodeToString(sum[:])
}

func equal(t *testing.T, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Fatalf("%d bytes %.80x..., not %d bytes %.80x...", len(got), got, len(want), want)
	}
}
