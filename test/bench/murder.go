package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A murder is a mupdate master, backends and a frontend, of one kind, beside the
// server of that kind that the other rows run on. Each is a machine of its own: an
// address of the loopback network, with the ports that servers look for each other
// on.
type murder struct {
	master *cyrusSite
	lists  []*cyrusSite // backends that are mailbox lists, and serve nobody
	back   *cyrusSite   // a backend with mail
	front  *cyrusSite   // nil until it is asked for
	all    []*cyrusSite // what was made, to be stopped and removed

	like *cyrusSite // whose programs they run
}

// listBackends is how many backends the many mailboxes are spread over.
const listBackends = 3

// seat is what a server is in a murder.
type seat struct {
	options  string // beyond imapdConf
	services string // of cyrus.conf; %[1]s are the programs, %[2]s the directory, %[3]s the address
	list     bool   // it is a mailbox list for ctl_mboxlist, nothing runs
}

// The parts that all seats have at the master and, of frontends, at backends.
const (
	masterOptions = "mupdate_admins: mupman\n"
	memberOptions = "mupdate_server: %s\nmupdate_authname: mupman\nmupdate_password: secret\n"
	backOptions   = "proxyservers: murder\nlmtp_admins: murder\n"
	frontOptions  = masterOptions + "proxy_authname: murder\nproxy_password: secret\nproxyd_disable_mailbox_referrals: yes\n"
)

const (
	masterServices = `  mupdate    cmd="%[1]s/mupdate -m -C %[2]s/imapd.conf" listen="%[3]s:3905" prefork=1
`
	slaveServices = `  mupdate    cmd="%[1]s/mupdate -C %[2]s/imapd.conf" listen="%[3]s:3905" prefork=1
`
	imapServices = `  imap       cmd="%[1]s/imapd -C %[2]s/imapd.conf -U 30" listen="%[3]s:143" prefork=0
`
	// To a backend's LMTP its frontends log in; what is measured without a
	// frontend comes by the port beside it.
	backServices = imapServices + `  lmtp       cmd="%[1]s/lmtpd -C %[2]s/imapd.conf" listen="%[3]s:2003" prefork=0
  lmtpdirect cmd="%[1]s/lmtpd -C %[2]s/imapd.conf -a" listen="%[3]s:2004" prefork=0
`
	frontServices = slaveServices + imapServices + `  lmtp       cmd="%[1]s/lmtpd -C %[2]s/imapd.conf -a" listen="%[3]s:2003" prefork=0
`
)

// seatPorts are where each kind of seat is asked by the bench.
var (
	mupdatePort = map[string]int{"mupdate": 3905}
	backPorts   = map[string]int{"imap": 143, "lmtp": 2004}
	frontPorts  = map[string]int{"imap": 143, "lmtp": 2003, "mupdate": 3905}
)

// vacantAddress finds an address where nobody has the ports of a seat.
func vacantAddress() (string, error) {
	for range 100 {
		ip := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
		vacant := true
		for _, port := range []int{143, 2003, 2004, 3905} {
			l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
			if err != nil {
				vacant = false
				break
			}
			l.Close()
		}
		if vacant {
			return ip, nil
		}
	}
	return "", errors.New("somebody listens on a mail port of all addresses")
}

// Murder makes the murder, with a master and a backend that run, when it is asked
// for the first time.
func (c *cyrusSite) Murder() (*murder, error) {
	if c.murder != nil {
		return c.murder, nil
	}
	m := &murder{like: c}
	c.murder = m // from here on Stop ends what was started
	var err error
	if m.master, err = m.sitDown("mupdate", &seat{options: masterOptions, services: masterServices}, mupdatePort); err != nil {
		return nil, err
	}
	for i := range listBackends {
		s, err := m.sitDown(fmt.Sprint("list", i), &seat{options: m.member() + backOptions, list: true}, nil)
		if err != nil {
			return nil, err
		}
		m.lists = append(m.lists, s)
	}
	m.back, err = m.sitDown("backend", &seat{options: m.member() + backOptions, services: backServices}, backPorts)
	return m, err
}

// member is what every seat but the master's says of that.
func (m *murder) member() string { return fmt.Sprintf(memberOptions, m.master.Addr("mupdate")) }

// sitDown makes a server for a seat and starts it.
func (m *murder) sitDown(name string, what *seat, ports map[string]int) (*cyrusSite, error) {
	s, err := bareSite(m.like.name+"-"+name, filepath.Dir(m.like.dir))
	if err != nil {
		return nil, err
	}
	s.ports = ports
	c := &cyrusSite{site: s, master: m.like.master, bin: m.like.bin, about: m.like.about, seat: what}
	m.all = append(m.all, c)
	if s.ip, err = vacantAddress(); err != nil {
		return nil, err
	}
	return c, c.Start()
}

// Front is a frontend of the murder, in sync with its master.
func (m *murder) Front() (*cyrusSite, error) {
	if m.front != nil {
		return m.front, nil
	}
	s, err := m.sitDown("frontend", &seat{options: m.member() + frontOptions + "serverlist: " + m.back.ip + "\n", services: frontServices}, frontPorts)
	if err != nil {
		return nil, err
	}
	m.front = s
	return s, s.inSync()
}

// slave is a frontend that has nothing but the list.
func (m *murder) slave(name string) (*cyrusSite, error) {
	return m.sitDown(name, &seat{options: m.member() + frontOptions, services: slaveServices}, mupdatePort)
}

// sit starts the server of a seat.
func (c *cyrusSite) sit() error {
	options := strings.Replace(fmt.Sprintf(imapdConf, c.dir), "servername: mail.example.com", "servername: "+c.ip, 1) + c.seat.options
	if err := c.write("imapd.conf", options); err != nil || c.seat.list {
		return err
	}
	services := fmt.Sprintf("SERVICES {\n"+c.seat.services+"}\n", c.bin, c.dir, c.ip)
	if err := c.write("cyrus.conf", services); err != nil {
		return err
	}
	// Real Cyrus asks the system for the ports of its protocols, and Debian's
	// list lacks some.
	known, err := os.ReadFile("/etc/services")
	if err != nil {
		return err
	}
	if err := c.write("services", string(known)+"\nlmtp 2003/tcp\nmupdate 3905/tcp\n"); err != nil {
		return err
	}
	const private = `mount --bind "$0" /etc/services && exec "$@"`
	return c.launch(nil, slices.Concat([]string{"unshare", "--mount", "sh", "-c", private, c.path("services")}, c.argv())...)
}

// inSync waits until the mailbox list of a frontend is the master's: then its
// kick socket answers.
func (c *cyrusSite) inSync() error {
	for end := time.Now().Add(patience); ; {
		err := c.kick()
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case <-c.done:
			return errors.New("the frontend ended")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// kick has the list of a frontend catch up with its master.
func (c *cyrusSite) kick() error {
	conn, err := net.Dial("unix", c.path("conf/socket/mupdate.target"))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_, err = io.ReadFull(conn, make([]byte, len("ok")))
	return err
}

// end ends a server that is needed no more. Its files go at the end of the run.
func (c *cyrusSite) end() error {
	err := c.Stop()
	c.cmd = nil // the number of its process may be another's by then
	return err
}
