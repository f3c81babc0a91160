package murder

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// imapd are the lines of imapd.conf that a seat has by its role.
func (s *Seat) imapd() []string {
	lines := []string{
		"servername: " + s.IP, "altnamespace: no", "unixhierarchysep: no", "failedloginpause: 0", "duplicatesuppression: no",
		"sasl_pwcheck_method: alwaystrue", "sasl_mech_list: PLAIN", "partition-p2: $dir/p2",
	}
	if s.Role == RoleMaster {
		return append(lines, "mupdate_admins: "+Mupman)
	}
	lines = append(lines, "mupdate_server: "+s.m.masterAddrs(s.Name), "mupdate_authname: "+Mupman, "mupdate_password: "+cyrustest.Password)
	if s.Role != RoleFrontend {
		lines = append(lines, "proxyservers: "+Proxy, "lmtp_admins: "+Proxy+" "+XferAdm, "admins: "+cyrustest.Admin+" "+XferAdm,
			"proxy_authname: "+XferAdm, "proxy_password: "+cyrustest.Password, "allowallsubscribe: yes", "allowusermoves: yes")
	}
	if s.Slave() {
		// 3 seconds: 1 makes a slave of Cyrus's divide by zero.
		lines = append(lines, "mupdate_admins: "+Mupman, "mupdate_retry_delay: 3", "serverlist: "+s.serverlist(),
			"proxyd_disable_mailbox_referrals: yes", "sieve_allowreferrals: no")
	}
	switch s.Role {
	case RoleFrontend:
		lines = append(lines, "proxy_authname: "+Proxy, "proxy_password: "+cyrustest.Password)
	case RoleNode:
		lines = append(lines, "mupdate_config: unified")
	}
	return lines
}

func (s *Seat) serverlist() string {
	var all []string
	for _, be := range s.m.Stores() {
		all = append(all, be.IP)
	}
	return strings.Join(all, " ")
}

// args leaves out what a Murder does not use, and the LMTP service that asks for no
// login where it is a seat's that stores mail: frontends log in there.
func (s *Seat) args() map[string]string {
	args := map[string]string{"imaps": "-", "pop3s": "-"}
	if s.Role == RoleMaster {
		args["pop3"], args["lmtp"], args["lmtpunix"] = "-", "-", "-"
	}
	if s.Role == RoleBackend || s.Role == RoleNode {
		args["lmtp"] = "-"
	}
	return args
}

// entries are the lines of cyrus.conf that a seat has by its role.
func (s *Seat) entries() map[string][]string {
	e := map[string][]string{}
	const mupdate = `mupdate cmd="$bin/mupdate -C $conf%s" listen="%s" prefork=1`
	switch s.Role {
	case RoleMaster:
		e["SERVICES"] = append(e["SERVICES"], fmt.Sprintf(mupdate, " -m", s.mupdateAddr()))
	case RoleFrontend, RoleNode:
		e["SERVICES"] = append(e["SERVICES"], fmt.Sprintf(mupdate, "", s.mupdateAddr()))
	}
	if s.Role == RoleBackend || s.Role == RoleNode {
		e["SERVICES"] = append(e["SERVICES"], `lmtp cmd="$bin/lmtpd -C $conf" listen="$lmtp"`)
		e["START"] = append(e["START"], fmt.Sprintf(`push cmd="%s -C $conf"`, pushScript(s.t)))
	}
	return e
}

// pushScript is the one that we ship for START of a backend; it runs the ctl_mboxlist
// of either kind, and does not keep master from starting when no mupdate master runs.
func pushScript(t testing.TB) string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("built without the names of the source files")
	}
	return filepath.Join(filepath.Dir(file), "../../../packaging/mupdatepush")
}

// services is the command that runs master where /etc/services has every name that
// Cyrus looks up there: without lmtp, which Debian lacks, a frontend delivers
// nothing. The file is put there for that process and its children alone, in a mount
// namespace of their own.
func services(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("/etc/services")
	if err != nil {
		t.Skipf("real Cyrus finds its ports in: %v", err)
	}
	file := filepath.Join(t.TempDir(), "services")
	text = append(text, "\nlmtp 2003/tcp\nmupdate 3905/tcp\n"...)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	wrap := []string{"unshare", "-m", "sh", "-c", `mount --bind "$0" /etc/services && exec "$@"`, file}
	if out, err := exec.Command(wrap[0], append(wrap[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("real Cyrus needs a mount namespace: %v: %s", err, out)
	}
	return wrap
}
