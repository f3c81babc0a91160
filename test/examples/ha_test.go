package examples

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// TestHA is a Murder of two masters on an etcd of three, two backends and a frontend. One
// of the machines with a master and etcd fails, comes back, and then the other.
func TestHA(t *testing.T) {
	ips := map[string]string{"mup1.example.org": machine(t), "mup2.example.org": machine(t), "mup3.example.org": machine(t)}
	ip1, ip2, frontIP := machine(t), machine(t), machine(t)
	members := map[string]*exec.Cmd{}
	for _, name := range []string{"mup1", "mup2", "mup3"} {
		members[name] = etcd(t, name, t.TempDir(), ips)
	}
	// Masters that start without a list end again: it is made before they do.
	found(t, ips)
	masters := map[string]*cyrustest.Server{}
	for _, name := range []string{"mup1", "mup2"} {
		host := name + ".example.org"
		names := map[string]string{"servername: mup1.example.org": "servername: " + ips[host]}
		for host, ip := range ips {
			names["http://"+host] = "http://" + ip
		}
		masters[name] = server(t, "ha/master", ips[host], names)
		masters[name].SetPassword("mupman")
		waitFor(t, net.JoinHostPort(ips[host], "3905"))
	}
	both := map[string]string{"mup1.example.org": ips["mup1.example.org"], "mup2.example.org": ips["mup2.example.org"]}
	with := func(more map[string]string) map[string]string {
		for k, v := range both {
			more[k] = v
		}
		return more
	}
	var backends []*cyrustest.Server
	for _, ip := range []string{ip1, ip2} {
		s := server(t, "ha/backend", ip, with(map[string]string{"be1.example.org": ip}))
		s.SetPassword("murder")
		backends = append(backends, s)
	}
	front := server(t, "ha/frontend", frontIP, with(map[string]string{"be1.example.org": ip1, "be2.example.org": ip2, "fe.example.org": frontIP}))
	d := newDoor(t, frontIP, front.CAFile)
	use := func(user, ip string) {
		t.Helper()
		front.SetPassword(user)
		cyradm(t, front, frontIP, "createmailbox user/"+user+" "+ip+"!default")
		front.Deliver(cyrustest.Message("to "+user), user)
		d.put(user, "imaps", "INBOX", "from "+user)
		d.has(user, "to "+user, "from "+user)
	}
	use("alice", ip1)
	for i, name := range []string{"mup1", "mup2"} {
		masters[name].Kill()
		kill(members[name])
		use([]string{"bob", "carol"}[i], []string{ip2, ip1}[i])
		d.has("alice", "to alice", "from alice")
		members[name] = etcd(t, name, members[name].Dir, ips)
		masters[name].Resume()
	}
	for _, s := range backends {
		if out := s.RunTool("", "ctl_mboxlist", "-m", "-w"); out != "" {
			t.Errorf("ctl_mboxlist -m -w: %q", out)
		}
	}
}

// etcd starts the member of a machine, from its /etc/default/etcd.
func etcd(t *testing.T, name, dir string, ips map[string]string) *exec.Cmd {
	t.Helper()
	text := example(t, "ha/etcd/default", nil)
	text = strings.ReplaceAll(text, `ETCD_NAME="mup1"`, `ETCD_NAME="`+name+`"`)
	text = regexp.MustCompile(`(?m)^(ETCD_(?:LISTEN|ADVERTISE|INITIAL_ADVERTISE)\w+="http://)mup1`).ReplaceAllString(text, "${1}"+name)
	for host, ip := range ips {
		text = strings.ReplaceAll(text, "//"+host, "//"+ip)
	}
	cmd := exec.Command(program(t, "etcd"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ETCD_DATA_DIR="+filepath.Join(dir, "data"))
	for _, m := range regexp.MustCompile(`(?m)^(ETCD_\w+)="(.*)"$`).FindAllStringSubmatch(text, -1) {
		cmd.Env = append(cmd.Env, m[1]+"="+m[2])
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

// kill ends a program at once.
func kill(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		// An error is that of a process that has ended.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// found makes the list, as the README says, on a machine like a master's.
func found(t *testing.T, ips map[string]string) {
	t.Helper()
	imapd := example(t, "ha/master/imapd.conf", nil)
	for host, ip := range ips {
		imapd = strings.ReplaceAll(imapd, "http://"+host, "http://"+ip)
	}
	s := cyrustest.Start(t, cyrustest.Options{
		Imapd:     strings.Split(strings.TrimSpace(regexp.MustCompile(`(?m)^mupdate_etcd.*`).FindString(imapd)), "\n"),
		Unchecked: true,
	})
	if out := s.RunTool("", "mupdate", "-e"); out != "the list in etcd has 0 mailboxes\n" {
		t.Errorf("mupdate -e: %q", out)
	}
}
