package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// dovecotSite is Dovecot from an unpacked tree.
type dovecotSite struct {
	*site
	root    string // usr/sbin/dovecot and the rest are below
	format  string // sdbox, mdbox or maildir
	fast    bool   // login processes serve many connections
	about   string
	symlink bool // we made compiledIn
}

// compiledIn is where Debian's Dovecot looks for its TLS module whatever its
// configuration says.
const compiledIn = "/usr/lib/dovecot"

// newDovecot is Dovecot from root, which dpkg -x has filled; when root is
// empty the packages are fetched into the user's cache directory first.
func newDovecot(under, root, format string, fast bool) (server, error) {
	if root == "" {
		var err error
		if root, err = fetchDovecot(); err != nil {
			return nil, err
		}
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	s, err := newSite("dovecot", under)
	if err != nil {
		return nil, err
	}
	d := &dovecotSite{site: s, root: root, format: format, fast: fast}
	cmd := exec.Command(filepath.Join(root, "usr/sbin/dovecot"), "--version")
	cmd.Env = append(os.Environ(), d.library())
	version, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd.Path, err)
	}
	mode := "login processes one per connection, the default"
	if fast {
		mode = "login processes shared"
	}
	d.about = fmt.Sprintf("Dovecot %s, %s, %s", strings.TrimSpace(string(version)), format, mode)
	return d, nil
}

// dovecotPackages are Dovecot and those libraries of it that Cyrus does not bring.
var dovecotPackages = strings.Fields("dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd libsodium23 libstemmer0d libexttextcat-2.0-0 liblua5.3-0 libapparmor1")

// fetchDovecot downloads and unpacks the packages once, and returns the root.
func fetchDovecot() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, "gocyrus-bench", "dovecot")
	if _, err := os.Stat(filepath.Join(root, "usr/sbin/dovecot")); err == nil {
		return root, nil
	}
	debs, err := os.MkdirTemp("", "bench-debs-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(debs)
	get := exec.Command("apt-get", append([]string{"download"}, dovecotPackages...)...)
	get.Dir = debs
	if out, err := get.CombinedOutput(); err != nil {
		return "", fmt.Errorf("apt-get download of Dovecot: %w: %s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if out, err := exec.Command("dpkg", "-x", f, root).CombinedOutput(); err != nil {
			return "", fmt.Errorf("dpkg -x %s: %w: %s", f, err, out)
		}
	}
	return root, nil
}

func (d *dovecotSite) About() string { return d.about }

// library is the environment that lets the unpacked programs find their libraries.
func (d *dovecotSite) library() string {
	lib := filepath.Join(d.root, "usr/lib")
	return "LD_LIBRARY_PATH=" + strings.Join([]string{lib + "/dovecot", lib + "/dovecot/modules", lib + "/x86_64-linux-gnu"}, ":")
}

// Limits on processes and connections are lifted as far as the memory rows
// need; all else that is not a path or a port stays at its default.
const dovecotConf = `base_dir = %[1]s/run
state_dir = %[1]s/run
libexec_dir = %[2]s/usr/lib/dovecot
mail_plugin_dir = %[2]s/usr/lib/dovecot/modules
login_plugin_dir = %[2]s/usr/lib/dovecot/modules/login
import_environment = %[3]s TZ
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
listen = 127.0.0.1
protocols = imap pop3 lmtp
ssl = yes
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
disable_plaintext_auth = no
log_path = %[1]s/dovecot.log
mail_location = %[4]s
mail_uid = cyrus
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 0
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=cyrus gid=mail home=%[1]s/mail/%%u
}
service imap {
  process_limit = 6000
}
service anvil {
  chroot =
  client_limit = 20000
}
service auth {
  client_limit = 20000
}
service stats {
  chroot =
  client_limit = 20000
}
service imap-login {
  chroot =
%[5]s
  inet_listener imap {
    port = %[6]d
  }
  inet_listener imaps {
    port = %[7]d
    ssl = yes
  }
}
service pop3-login {
  chroot =
%[5]s
  inet_listener pop3 {
    port = %[9]d
  }
  inet_listener pop3s {
    port = 0
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = %[8]d
  }
}
service config {
  executable = config -c %[1]s/dovecot.conf
  client_limit = 20000
}
`

func (d *dovecotSite) Start() error {
	for _, dir := range []string{"mail", "run"} {
		if err := d.own(dir); err != nil {
			return err
		}
	}
	if err := d.certificate(); err != nil {
		return err
	}
	if _, err := os.Stat(compiledIn); errors.Is(err, os.ErrNotExist) {
		if err := os.Symlink(filepath.Join(d.root, compiledIn), compiledIn); err != nil {
			return err
		}
		d.symlink = true
	}
	login := ""
	if d.fast {
		login = "  service_count = 0\n  client_limit = 10000\n"
	}
	conf := fmt.Sprintf(dovecotConf, d.dir, d.root, d.library(), d.format+":"+d.dir+"/mail/%u", login,
		d.ports["imap"], d.ports["imaps"], d.ports["lmtp"], d.ports["pop3"])
	if err := d.write("dovecot.conf", conf); err != nil {
		return err
	}
	return d.launch([]string{d.library()}, filepath.Join(d.root, "usr/bin/doveconf"), "-f", "service=master", "-c", d.path("dovecot.conf"),
		"-m", "master", "-p", "-e", filepath.Join(d.root, "usr/sbin/dovecot"), "-F")
}

func (d *dovecotSite) Stop() error {
	err := d.site.Stop()
	if d.symlink {
		err = errors.Join(err, os.Remove(compiledIn))
	}
	return err
}

// AddUser has nothing to do: Dovecot makes a user's INBOX when it is first used.
func (d *dovecotSite) AddUser(string) error { return nil }

// AddMailboxes makes the directories that are mailboxes to Dovecot, for one
// user: it has no administrator who sees all.
func (d *dovecotSite) AddMailboxes(n int) error {
	uid, gid, err := cyrusUser()
	if err != nil {
		return err
	}
	made := map[string]bool{}
	mkdir := func(path string) error {
		for p := path; p != d.path("mail") && !made[p]; p = filepath.Dir(p) {
			made[p] = true
			if err := os.MkdirAll(p, 0o700); err != nil {
				return err
			}
			if err := os.Chown(p, uid, gid); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range n {
		if err := mkdir(d.mailboxDir(d.Lister(), i)); err != nil {
			return err
		}
	}
	return nil
}

// Lister owns all that AddMailboxes made.
func (d *dovecotSite) Lister() string { return "list" }

// mailboxDir is the directory whose presence makes mailbox i.
func (d *dovecotSite) mailboxDir(user string, i int) string {
	top, sub := fmt.Sprintf("list%03d", i/100), fmt.Sprintf("folder%02d", i%100)
	if d.format == "maildir" {
		if i%100 == 0 {
			return d.path(fmt.Sprintf("mail/%s/.%s/cur", user, top))
		}
		return d.path(fmt.Sprintf("mail/%s/.%s.%s/cur", user, top, sub))
	}
	if i%100 == 0 {
		return d.path(fmt.Sprintf("mail/%s/mailboxes/%s/dbox-Mails", user, top))
	}
	return d.path(fmt.Sprintf("mail/%s/mailboxes/%s/%s/dbox-Mails", user, top, sub))
}
