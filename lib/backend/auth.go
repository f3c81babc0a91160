package backend

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"

	"gocyrus/lib/saslclient"
)

// ErrAuth is the error of a login that the server refused.
var ErrAuth = errors.New("authentication failed")

// Authenticate logs in by SASL, with the best of mechs; nil means what the
// server offers.
func (c *Conn) Authenticate(mechs []string, cred saslclient.Credentials, hasCert, clear bool) error {
	if mechs == nil {
		mechs = c.Caps.Mechs
	}
	client, err := saslclient.New(mechs, cred, saslclient.Conn{TLS: c.TLS(), Binding: c.Bindings(), HasCert: hasCert, Clear: clear})
	if err != nil {
		return err
	}
	return c.AuthenticateWith(client)
}

// AuthenticateWith logs in by SASL with a client of go-sasl's form. The errors
// are ErrAuth and those of the connection and the mechanism.
func (c *Conn) AuthenticateWith(client sasl.Client) error {
	mech, ir, err := client.Start()
	if err != nil {
		return err
	}
	sent, err := c.sayAuth(mech, ir)
	if err != nil {
		return err
	}
	pending := ir // what the first, empty challenge asks for
	if sent {
		pending = nil
	}
	for range maxSteps {
		challenge, state, err := c.hearAuth()
		if err != nil {
			return err
		}
		switch {
		case state == authNo:
			return ErrAuth
		case state == authOK:
			if challenge != nil {
				if _, err := client.Next(challenge); err != nil {
					return err
				}
			}
			if !saslclient.Proved(client) {
				return fmt.Errorf("%w: the server proved nothing", ErrAuth)
			}
			return nil
		case pending != nil:
			err = c.sayResponse(pending)
			pending = nil
		default:
			var response []byte
			if response, err = client.Next(challenge); err != nil {
				return c.cancel(err)
			}
			err = c.sayResponse(response)
		}
		if err != nil {
			return err
		}
	}
	return ErrProtocol
}

// maxSteps bounds an exchange.
const maxSteps = 20

// cancel ends an exchange that cannot go on, for the reason err.
func (c *Conn) cancel(err error) error {
	if serr := c.Say("*", ""); serr != nil {
		return serr
	}
	if _, _, herr := c.hearAuth(); herr != nil {
		return herr
	}
	return err
}

// sayAuth sends the command, with the initial response where it fits.
func (c *Conn) sayAuth(mech string, ir []byte) (sent bool, err error) {
	f := c.Proto.auth
	line := f.cmd + " " + mech
	if f.quoted {
		line = f.cmd + ` "` + mech + `"`
	}
	if ir == nil || f.maxLine == 0 || f.whenCaps != "" && !c.Caps.Has(f.whenCaps) {
		return false, c.Say(line, "")
	}
	text := encode(ir)
	if f.quoted {
		return true, c.sayLiteral(line+" ", text)
	}
	if len(ir) == 0 {
		text = "="
	}
	if len(line)+len(text)+3 > f.maxLine {
		return false, c.Say(line, "")
	}
	return true, c.Say(line+" "+text, "")
}

func (c *Conn) sayResponse(response []byte) error {
	if c.Proto.auth.quoted && !c.Proto.auth.bare {
		return c.sayLiteral("", encode(response))
	}
	return c.Say(encode(response), "")
}

// sayLiteral sends text as a literal that waits for nobody.
func (c *Conn) sayLiteral(before, text string) error {
	if before != "" {
		c.trace('C', fmt.Sprintf("%s{%d+}\r\n%s", before, len(text), text))
	} else {
		c.trace('C', fmt.Sprintf("{%d+}", len(text)))
		c.trace('C', text)
	}
	return c.WriteLine(fmt.Sprintf("%s{%d+}\r\n%s", before, len(text), text))
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

type authState int

const (
	authMore authState = iota
	authOK
	authNo
)

// hearAuth reads the server's next word in an exchange.
func (c *Conn) hearAuth() (challenge []byte, state authState, err error) {
	f := c.Proto.auth
	for range maxCapaLines {
		line, err := c.Hear()
		if err != nil {
			return nil, 0, err
		}
		switch {
		case strings.HasPrefix(line, "*"):
			continue // untagged
		case hasPrefix(line, f.ok):
			c.Caps = capsAfter(c.Caps, line)
			c.Session = sessionID(line)
			if !f.successIn {
				return nil, authOK, nil
			}
			challenge, err = sieveSuccess(line)
			return challenge, authOK, err
		case hasPrefix(line, f.no), f.bare && strings.Contains(line, " "):
			return nil, authNo, nil // base64 has no blanks: A01 BAD "Unrecognized command"
		}
		challenge, err = c.challenge(line)
		return challenge, authMore, err
	}
	return nil, 0, ErrProtocol
}

// capsAfter takes the capabilities that IMAP's good answer holds.
func capsAfter(old Caps, line string) Caps {
	if got := imapCaps(line); len(got.Words) > 0 {
		return got
	}
	return old
}

// challenge decodes a line that goes on: after its prefix, or a string.
func (c *Conn) challenge(line string) ([]byte, error) {
	f := c.Proto.auth
	if f.bare {
		return decode(line)
	}
	if f.cont != "" {
		// A server may leave the blank after + away when nothing follows.
		text, ok := strings.CutPrefix(line+" ", f.cont)
		if !ok {
			return nil, fmt.Errorf("%w: %s", ErrProtocol, line)
		}
		return decode(strings.TrimSpace(text))
	}
	if strings.HasPrefix(line, `"`) {
		return decode(strings.Trim(line, `"`))
	}
	n, ok := strings.CutPrefix(line, "{")
	size, err := strconv.Atoi(strings.TrimRight(n, "+}"))
	if !ok || err != nil || size < 0 || size > maxLine {
		return nil, fmt.Errorf("%w: %s", ErrProtocol, line)
	}
	buf := make([]byte, size)
	c.deadline()
	if _, err := io.ReadFull(c.r, buf); err != nil {
		return nil, err
	}
	if _, err := c.ReadLine(); err != nil {
		return nil, err
	}
	c.trace('S', string(buf))
	return decode(string(buf))
}

func decode(text string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: base64: %w", ErrProtocol, err)
	}
	return b, nil
}

// sieveSuccess finds the last challenge in OK (SASL "...") (RFC 5804
// section 2.1).
func sieveSuccess(line string) ([]byte, error) {
	_, rest, ok := strings.Cut(line, `(SASL "`)
	if !ok {
		return nil, nil
	}
	text, _, _ := strings.Cut(rest, `"`)
	return decode(text)
}

// Login logs in by IMAP LOGIN or by POP3 USER and PASS. The password is not
// shown to the tracer.
func (c *Conn) Login(user, password string) error {
	if c.Proto == POP3 {
		return c.popLogin(user, password)
	}
	if c.Proto != IMAP {
		return saslclient.ErrNoMechanism
	}
	if strings.ContainsAny(user, "\"\\\r\n\x00{ ()%*") || user == "" {
		return fmt.Errorf("%w: user %q", ErrAuth, user)
	}
	// A literal takes any password.
	if err := c.Say(fmt.Sprintf("L01 LOGIN %s {%d}", user, len(password)), ""); err != nil {
		return err
	}
	line, err := c.Hear()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "+") {
		return ErrAuth
	}
	if err := c.Say(password, "<omitted>"); err != nil {
		return err
	}
	for range maxCapaLines {
		if line, err = c.Hear(); err != nil {
			return err
		}
		if hasPrefix(line, "L01 OK") {
			c.Caps = capsAfter(c.Caps, line)
			return nil
		}
		if hasPrefix(line, "L01 ") {
			return ErrAuth
		}
	}
	return ErrProtocol
}

func (c *Conn) popLogin(user, password string) error {
	if strings.ContainsAny(user+password, "\r\n") {
		return ErrAuth
	}
	for _, step := range [][2]string{{"USER " + user, ""}, {"PASS " + password, "PASS <omitted>"}} {
		if err := c.Say(step[0], step[1]); err != nil {
			return err
		}
		line, err := c.Hear()
		if err != nil {
			return err
		}
		if !hasPrefix(line, "+OK") {
			return ErrAuth
		}
	}
	return nil
}

// Connect dials, starts TLS where the server can and conf is not nil, and logs
// in: what deliver, cyradm and frontends need of a server.
func Connect(ctx context.Context, p *Protocol, addr string, o Options, cred saslclient.Credentials) (*Conn, error) {
	c, err := Dial(ctx, p, addr, o)
	if err != nil {
		return nil, err
	}
	if o.TLS != nil && !o.Wrapped && (c.Caps.Has("STARTTLS") || c.Caps.Has("STLS")) {
		if err := c.StartTLS(ctx, o.TLS); err != nil {
			c.Close()
			return nil, err
		}
	}
	hasCert := o.TLS != nil && len(o.TLS.Certificates) > 0
	if cred.AuthcID == "" && !hasCert {
		return c, nil
	}
	if err := c.Authenticate(nil, cred, hasCert, true); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// sessionID finds "SESSIONID=<...>" of Cyrus.
func sessionID(line string) string {
	_, rest, _ := strings.Cut(line, "SESSIONID=<")
	id, _, ok := strings.Cut(rest, ">")
	if !ok {
		return ""
	}
	return id
}
