package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// cyrusSite is a Cyrus installation, the real one or ours: the two read the
// same configuration.
type cyrusSite struct {
	*site
	master string // the master program
	bin    string // where imapd, lmtpd, pop3d and the tools are
	about  string

	replicates bool    // one end of a pair
	pair       *pair   // nil until it is asked for
	seat       *seat   // in a murder
	murder     *murder // nil until it is asked for
}

// realCyrus is the installed Cyrus of Debian.
func realCyrus(under string) (server, error) {
	s, err := newSite("cyrus", under)
	if err != nil {
		return nil, err
	}
	out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", "cyrus-imapd").Output()
	if err != nil {
		return nil, fmt.Errorf("the packages cyrus-imapd, cyrus-pop3d and cyrus-admin are needed: %w", err)
	}
	return &cyrusSite{site: s, master: "/usr/sbin/cyrmaster", bin: "/usr/lib/cyrus/bin", about: "Cyrus " + string(out)}, nil
}

// ourCyrus is gocyrus from the directory bin. The programs are copied, so that
// a build meanwhile changes nothing and the user cyrus can reach them.
func ourCyrus(under, bin string) (server, error) {
	s, err := newSite("ours", under)
	if err != nil {
		return nil, err
	}
	if err := s.own("bin"); err != nil {
		return nil, err
	}
	programs, err := filepath.Glob(filepath.Join(bin, "*"))
	if err != nil {
		return nil, err
	}
	for _, p := range programs {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(s.path("bin/"+filepath.Base(p)), text, 0o755); err != nil {
			return nil, err
		}
	}
	c := &cyrusSite{site: s, master: s.path("bin/master"), bin: s.path("bin"), about: "gocyrus"}
	out, err := exec.Command(c.master, "-V").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s -V: %w (make build makes it)", filepath.Join(bin, "master"), err)
	}
	c.about, _, _ = strings.Cut(string(out), "\n")
	return c, nil
}

func (c *cyrusSite) About() string { return c.about }

const imapdConf = `configdirectory: %[1]s/conf
partition-default: %[1]s/spool
defaultpartition: default
admins: cyrus
servername: mail.example.com
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
sendmail: /bin/true
idlesocket: %[1]s/conf/socket/idle
lmtpsocket: %[1]s/conf/socket/lmtp
notifysocket: %[1]s/conf/socket/notify
tls_server_cert: %[1]s/cert.pem
tls_server_key: %[1]s/key.pem
syslog_facility: LOCAL6
`

// The services are those of Debian's cyrus.conf, without maxchild: 5,000
// connections are wanted.
const cyrusConf = `START {
  recover    cmd="%[1]s/ctl_cyrusdb -C %[2]s/imapd.conf -r"
}
SERVICES {
  imap       cmd="%[1]s/imapd -C %[2]s/imapd.conf -U 30" listen="127.0.0.1:%[3]d" prefork=0
  imaps      cmd="%[1]s/imapd -C %[2]s/imapd.conf -s -U 30" listen="127.0.0.1:%[4]d" prefork=0
  lmtp       cmd="%[1]s/lmtpd -C %[2]s/imapd.conf -a" listen="127.0.0.1:%[5]d" prefork=0
  pop3       cmd="%[1]s/pop3d -C %[2]s/imapd.conf -U 30" listen="127.0.0.1:%[6]d" prefork=0
%[7]s}
DAEMON {
  idled      cmd="%[1]s/idled -C %[2]s/imapd.conf"
}
EVENTS {
  checkpoint cmd="%[1]s/ctl_cyrusdb -C %[2]s/imapd.conf -c" period=30
}
`

func (c *cyrusSite) Start() error {
	for _, dir := range []string{"conf", "conf/socket", "conf/db", "conf/proc", "conf/log", "conf/msg", "conf/lock", "spool"} {
		if err := c.own(dir); err != nil {
			return err
		}
	}
	if err := c.certificate(); err != nil {
		return err
	}
	if c.seat != nil {
		return c.sit()
	}
	options, more := fmt.Sprintf(imapdConf, c.dir), ""
	if c.replicates {
		options += syncConf
		more = fmt.Sprintf(syncService, c.bin, c.dir, c.ports["csync"])
	}
	if err := c.write("imapd.conf", options); err != nil {
		return err
	}
	services := fmt.Sprintf(cyrusConf, c.bin, c.dir, c.ports["imap"], c.ports["imaps"], c.ports["lmtp"], c.ports["pop3"], more)
	if err := c.write("cyrus.conf", services); err != nil {
		return err
	}
	return c.launch(nil, c.argv()...)
}

// argv is the main process with its arguments.
func (c *cyrusSite) argv() []string {
	return []string{c.master, "-C", c.path("imapd.conf"), "-M", c.path("cyrus.conf"), "-p", c.path("conf/master.pid"), "-D"}
}

func (c *cyrusSite) AddUser(name string) error {
	admin, err := login(c.Addr("imap"), "cyrus", false)
	if err != nil {
		return err
	}
	if _, err := admin.do("CREATE user/"+name, nil); err != nil {
		return err
	}
	return admin.logout()
}

// AddMailboxes loads a list into mailboxes.db, as an administrator moving a
// site does; nothing reads these mailboxes, so they need no directories.
func (c *cyrusSite) AddMailboxes(n int) error { return c.addMailboxes(0, n) }

// addMailboxes is AddMailboxes for those numbered from begin up to end.
func (c *cyrusSite) addMailboxes(begin, end int) error {
	var list bytes.Buffer
	sep := "{\n"
	for i := begin; i < end; i++ {
		name, owner := listed(i)
		fmt.Fprintf(&list, `%s"%s": {"name": "%[2]s", "mtime": "1795501204", "uidvalidity": "1795501204", "createdmodseq": "1", "foldermodseq": "2", `+
			`"mbtype": "e", "partition": "default", "acl": {"%s": "lrswipkxtecdan"}, "uniqueid": "%024d", "name_history": []}`, sep, name, owner, i+1)
		sep = ",\n"
	}
	list.WriteString("\n}\n")
	cmd, err := c.command("ctl_mboxlist", "-u")
	if err != nil {
		return err
	}
	cmd.Stdin = &list
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ctl_mboxlist -u: %w: %s", err, out)
	}
	return nil
}

// listed is the name of mailbox i of AddMailboxes, and who owns it.
func listed(i int) (name, owner string) {
	owner = fmt.Sprintf("list%03d", i/100)
	if i%100 == 0 {
		return "user." + owner, owner
	}
	return fmt.Sprintf("user.%s.folder%02d", owner, i%100), owner
}

// Lister is the administrator.
func (c *cyrusSite) Lister() string { return "cyrus" }
