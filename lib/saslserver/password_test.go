package saslserver

import (
	"context"
	"errors"
	"gocyrus/lib/servertest"
	"io"
	"net"
	"testing"
	"time"
)

// fakeSaslauthd answers each question with what reply makes of the four strings.
func fakeSaslauthd(t *testing.T, reply func(login, password, service, realm string) string) string {
	t.Helper()
	return servertest.Listen(t, "unix", func(c net.Conn) {
		var f [4]string
		var err error
		for i := range f {
			f[i], err = readAny(c)
		}
		if out := reply(f[0], f[1], f[2], f[3]); err == nil && out != "" {
			req, _ := saslauthdRequest(out)
			c.Write(req)
		}
	})
}

// readAny is readCounted without its bounds.
func readAny(r io.Reader) (string, error) {
	var n [2]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return "", err
	}
	b := make([]byte, int(n[0])<<8|int(n[1]))
	_, err := io.ReadFull(r, b)
	return string(b), err
}

func TestSaslauthd(t *testing.T) {
	path := fakeSaslauthd(t, func(login, password, service, realm string) string {
		switch login + "/" + password + "/" + service + "/" + realm {
		case "alice/pwalice/imap/mail.example.com", "bob/pw/imap/other.org":
			return "OK"
		case "mute/x/imap/mail.example.com":
			return ""
		}
		return "NO authentication failed"
	})
	srv := testServer(t, "allowplaintext: yes\nvirtdomains: userid\nsasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: "+path)
	ctx := context.Background()
	id, err := srv.CheckPass(ctx, "alice", "pwalice", clear)
	ok(t, id, err, "alice", "alice")
	id, err = srv.CheckPass(ctx, "bob@other.org", "pw", clear)
	ok(t, id, err, "bob@other.org", "bob@other.org")
	for user, want := range map[string]Code{"alice": BadAuth, "nouser": BadAuth, "mute": Unavail} {
		if _, err := srv.CheckPass(ctx, user, "x", clear); !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", user, err, want)
		}
	}
	gone := testServer(t, "allowplaintext: yes\nsasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: "+path+"x")
	if _, err := gone.CheckPass(ctx, "alice", "pwalice", clear); !errors.Is(err, Unavail) {
		t.Errorf("no saslauthd: %v", err)
	}
	both := testServer(t, "allowplaintext: yes\nsasl_pwcheck_method: saslauthd auxprop\nsasl_saslauthd_path: "+path)
	id, err = both.CheckPass(ctx, "cyrus", "pwcyrus", clear) // only in the store
	ok(t, id, err, "cyrus", "cyrus")
}

// TestBound checks that no more than MaxChecks passwords are checked at once,
// and that a client who goes away gives up its place in the queue.
func TestBound(t *testing.T) {
	enter, leave := make(chan struct{}), make(chan struct{})
	path := fakeSaslauthd(t, func(string, string, string, string) string { enter <- struct{}{}; <-leave; return "OK" })
	srv := testServer(t, "allowplaintext: yes\nsasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: "+path)
	srv.checks = make(chan struct{}, 1)
	done := make(chan error)
	go func() {
		_, err := srv.CheckPass(context.Background(), "alice", "x", clear)
		done <- err
	}()
	<-enter
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := srv.CheckPass(ctx, "bob", "x", clear); !errors.Is(err, Unavail) {
		t.Errorf("in the queue: %v", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Errorf("first: %v", err)
	}
}

func TestUnknownMethod(t *testing.T) {
	c := Config{PwCheck: []string{"pwcheck"}}
	if _, err := New(c, nil); err == nil {
		t.Error("pwcheck accepted")
	}
}

func TestPauseEnds(t *testing.T) {
	srv := testServer(t, "")
	srv.opts.FailedPause = time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	srv.Pause(ctx) // returns, or the test times out
}

func TestAPOP(t *testing.T) {
	srv := testServer(t, "", WithSecrets(memory{
		"mrose@" + realm: {Plain: "tanstaaf", HasPlain: true}}))
	// RFC 1939 section 7.
	x := APOP{User: "mrose", Digest: "c4c9334bac560ecc979e58001b3e22fb", Challenge: "<1896.697170952@dbc.mtview.ca.us>"}
	id, err := srv.CheckAPOP(context.Background(), x)
	ok(t, id, err, "mrose", "mrose")
	x.Challenge = "<1896.697170953@dbc.mtview.ca.us>"
	_, err = srv.CheckAPOP(context.Background(), x)
	sameError(t, err, "SASL(-13): authentication failure: login incorrect", "mrose", "authentication failure")
}

func BenchmarkCheckPass(b *testing.B) {
	srv := testServer(b, "allowplaintext: yes")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := srv.CheckPass(context.Background(), "alice", "pwalice", clear); err != nil {
			b.Fatal(err)
		}
	}
}
