package imtest

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"os/user"
	"strings"

	"gocyrus/lib/backend"
	"gocyrus/lib/saslclient"
)

// credentials asks for what is not on the command line.
func (c *client) credentials() (saslclient.Credentials, error) {
	cred, err := c.who()
	if err == nil && c.Password != nil {
		cred.Password, err = c.Password()
	}
	return cred, err
}

// who is who logs in, without the password.
func (c *client) who() (saslclient.Credentials, error) {
	cred := saslclient.Credentials{AuthcID: c.AuthName, AuthzID: c.UserName, Realm: c.Realm}
	if cred.AuthcID == "" {
		u, err := user.Current()
		if err != nil {
			return cred, err
		}
		cred.AuthcID = u.Username
	}
	return cred, nil
}

// authenticate logs in by the mechanism asked for, or the best.
func (c *client) authenticate() error {
	offered := c.conn.Caps.Mechs
	mech := strings.ToUpper(c.Mech)
	switch {
	case c.Proto == backend.IMAP && mech == "LOGIN":
		if c.conn.Caps.Has("LOGINDISABLED") {
			return c.notOffered("[Server advertised LOGINDISABLED]")
		}
		return c.plainLogin()
	case c.Proto == backend.POP3 && mech == "USER":
		if !c.conn.Caps.Has("USER") {
			return c.notOffered("[Server did not advertise USER]")
		}
		return c.plainLogin()
	case c.Proto == backend.POP3 && mech == "APOP":
		return c.apop()
	case mech == "" && len(offered) == 0:
		if c.Proto == backend.LMTP || c.Proto == backend.SMTP {
			return nil // nothing to do is well done
		}
		return c.plainLogin()
	case mech != "" && !contains(offered, mech) && c.Proto == backend.IMAP:
		return c.notOffered("[Server did not advertise AUTH=" + mech + "]")
	case mech != "" && !contains(offered, mech) && c.Proto == backend.POP3:
		return c.notOffered("[Server did not advertise SASL " + mech + "]")
	case mech != "":
		offered = []string{mech}
	}
	cred, err := c.who()
	if err != nil {
		return err
	}
	conn := saslclient.Conn{TLS: c.conn.TLS(), Binding: c.conn.Bindings(), HasCert: c.KeyFile != "", MinSSF: c.MinSSF, Clear: true}
	best := saslclient.Choose(offered, cred, conn)
	if len(best) == 0 {
		return saslclient.ErrNoMechanism
	}
	if best[0] != "EXTERNAL" && best[0] != "ANONYMOUS" {
		if cred, err = c.credentials(); err != nil {
			return err
		}
	}
	client, err := saslclient.New(offered, cred, conn)
	if err != nil {
		return err
	}
	if !c.NoIR {
		return c.conn.AuthenticateWith(client)
	}
	err = c.conn.AuthenticateWith(&withoutIR{Client: client})
	if err == nil && !saslclient.Proved(client) {
		err = backend.ErrAuth
	}
	return err
}

var errNotOffered = errors.New("mechanism not offered")

func (c *client) notOffered(text string) error {
	fmt.Fprintln(c.Out, text)
	return errNotOffered
}

func contains(list []string, word string) bool {
	for _, w := range list {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

func (c *client) plainLogin() error {
	cred, err := c.credentials()
	if err != nil {
		return err
	}
	return c.conn.Login(cred.AuthcID, cred.Password)
}

// apop logs in by the challenge in the greeting (RFC 1939 section 7).
func (c *client) apop() error {
	i, j := strings.LastIndexByte(c.greeting, '<'), strings.LastIndexByte(c.greeting, '>')
	if i < 0 || j < i {
		return c.notOffered("[Server did not advertise APOP challenge]")
	}
	cred, err := c.credentials()
	if err != nil {
		return err
	}
	sum := md5.Sum([]byte(c.greeting[i:j+1] + cred.Password))
	if err := c.conn.Say("APOP "+cred.AuthcID+" "+hex.EncodeToString(sum[:]), ""); err != nil {
		return err
	}
	line, err := c.conn.Hear()
	if err == nil && !strings.HasPrefix(line, "+OK") {
		err = backend.ErrAuth
	}
	return err
}
