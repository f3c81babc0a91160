package cyradm

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// server connects to a host, or to host:port, and logs in; without one it says
// which server that is.
func server(c *call) error {
	s := c.shell
	if len(c.args) == 0 {
		if s.admin == nil {
			return find("server").noServer()
		}
		c.printf("%s\n", s.admin.Name())
		return nil
	}
	host, port, err := net.SplitHostPort(c.args[0])
	if err != nil {
		host, port = c.args[0], s.Port
	}
	if err := s.Connect(context.Background(), host, port); err != nil {
		return fmt.Errorf("server: %s: cannot connect to server: %w", c.args[0], err)
	}
	if c.has("noauthenticate") {
		return nil
	}
	if err := s.Authenticate(context.Background()); err != nil {
		fmt.Fprintln(s.Err, err)
		return fmt.Errorf("server: %s: cannot authenticate", c.args[0])
	}
	return nil
}

func authenticate(c *call) error {
	l := c.shell.Login
	if len(c.args) > 0 {
		l.User = c.args[0]
	}
	if v, ok := c.opts["mechanisms"]; ok {
		l.Mechs = strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' })
	}
	if v, ok := c.opts["minssf"]; ok {
		n, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("authenticate: %s: not a number", v)
		}
		l.MinSSF = n
	}
	if v, ok := c.opts["tlskey"]; ok {
		l.TLS, l.TLSKey = true, v
	}
	l.NoTLS = l.NoTLS || c.has("notls")
	for name, p := range map[string]*string{"service": &l.Service, "cafile": &l.CAFile, "cadir": &l.CAPath, "capath": &l.CAPath} {
		if v, ok := c.opts[name]; ok {
			*p = v
		}
	}
	a := c.admin()
	if err := a.Authenticate(context.Background(), l); err != nil {
		fmt.Fprintln(c.shell.Err, err)
		return fmt.Errorf("authenticate: authentication to server %s failed", a.Name())
	}
	return nil
}

func disconnect(c *call) error {
	c.shell.Close()
	return nil
}

func chdir(c *call) error {
	if err := os.Chdir(c.args[0]); err != nil {
		return of("chdir", plain(err))
	}
	return nil
}

// exit ends the shell. What is no number is 0.
func exit(c *call) error {
	code, _ := strconv.Atoi(c.arg(0))
	return exitError{code & 0xff}
}

// version shows the server's ID. The environment is a list, which gets a line
// for each item.
func version(c *call) error {
	pairs, err := c.admin().ID()
	if err != nil {
		return err
	}
	if len(pairs) == 0 {
		c.printf("no version info returned by server\n")
	}
	for _, p := range pairs {
		if p.Field == "environment" {
			p.Value = strings.ReplaceAll(p.Value, ";", "\n            ")
		}
		c.printf("%-11s: %s\n", p.Field, p.Value)
	}
	return nil
}

func help(c *call) error {
	if len(c.args) == 0 {
		helpAll(c)
		return nil
	}
	words := slices.Clone(c.args)
	slices.Sort(words)
	for _, w := range words {
		row := find(w)
		switch {
		case row == nil:
			c.printf("unknown command: %s\n", w)
			continue
		case row.name != w:
			c.printf("%s, alias for ", w)
		}
		c.printf("%s %s\n\t%s\n", row.name, row.args, row.about)
	}
	return nil
}

// helpAll lists the commands with their aliases in a column.
func helpAll(c *call) {
	rows := table()
	width := 0
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = strings.Join(append([]string{r.name}, r.aliases...), ", ")
		width = max(width, len(names[i]))
	}
	for i, r := range rows {
		c.printf("%-*s  %s\n", width, names[i], r.about)
	}
}
