#!/usr/bin/perl
# imaptalk.pl HOST PORT USER PASSWORD: use what Mail::IMAPTalk has, check what
# comes back.
use strict;
use warnings;
use Mail::IMAPTalk;

my ($host, $port, $user, $password) = @ARGV;
my $failed = 0;

sub check {
	my ($what, $ok, $got) = @_;
	return if $ok;
	$failed++;
	print STDERR "$what: ", defined $got ? $got : 'undef', "\n";
}

sub message {
	my ($subject) = @_;
	return "From: Alice <alice\@example.com>\r\nTo: bob\@example.com\r\nSubject: $subject\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
		. "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nText of $subject.\r\n"
		. "--b\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--b--\r\n";
}

my $imap = Mail::IMAPTalk->new(
	Server   => $host,
	Port     => $port,
	Username => $user,
	Password => $password,
	Uid      => 1,
	PreserveINBOX => 1,
) || die "connect: $@";

check('capability', $imap->capability()->{condstore});
my $ns = $imap->namespace();
check('namespace', $ns && $ns->[0][0][1] eq '/', $imap->get_last_error());
check('create', $imap->create('Work'), $imap->get_last_error());
check('create below', $imap->create('Work/2026'), $imap->get_last_error());
check('create again', !$imap->create('Work'));
check('it says why', $imap->get_last_error() =~ /already exists/, $imap->get_last_error());
check('subscribe', $imap->subscribe('Work'), $imap->get_last_error());
my $subscribed = $imap->lsub('', '*');
check('lsub', grep({ $_->[2] eq 'Work' } @$subscribed));
my $folders = $imap->list('', '*');
check('list', join(' ', sort map { $_->[2] } @$folders) eq 'INBOX Work Work/2026', join ' ', map { $_->[2] } @$folders);

for my $i (1 .. 5) {
	check("append $i", $imap->append('INBOX', "(\\Flagged)", { Literal => message("message $i") }), $imap->get_last_error());
}
my $uid = ($imap->get_response_code('appenduid') || [])->[1];
check('appenduid', $uid && $uid == 5, $uid);
check('select', $imap->select('INBOX'), $imap->get_last_error());
check('exists', $imap->get_response_code('exists') == 5);
check('uidnext', $imap->get_response_code('uidnext') == 6);
check('highestmodseq', $imap->get_response_code('highestmodseq'));

my $envelopes = $imap->fetch('1:*', '(envelope bodystructure flags rfc822.size internaldate)');
check('fetch', $envelopes && keys %$envelopes == 5, $imap->get_last_error());
my $one = $envelopes->{1};
check('subject', $one->{envelope}{Subject} eq 'message 1', $one->{envelope}{Subject});
check('from', $one->{envelope}{From} =~ /alice\@example\.com/, $one->{envelope}{From});
my $parts = $one->{bodystructure}{'MIME-Subparts'};
check('two parts', $parts && @$parts == 2);
check('its name', $parts->[1]{'Content-Type'}{name} eq 'a.bin', $parts->[1]{'Content-Type'}{name});
check('size', $one->{'rfc822.size'} == length message('message 1'), $one->{'rfc822.size'});
my $body = $imap->fetch(2, 'body.peek[1]');
check('body', $body->{2}{body} eq "Text of message 2.", $body->{2}{body});
my $whole = $imap->fetch(2, 'rfc822');
check('rfc822', $whole->{2}{rfc822} eq message('message 2'));
my $flags = $imap->fetch(2, 'flags');
check('seen by rfc822', grep({ $_ eq '\\Seen' } @{ $flags->{2}{flags} }));

check('search', join(',', @{ $imap->search('subject', { Quote => 'message 3' }) }) eq '3');
check('search unseen', join(',', @{ $imap->search('unseen') }) eq '1,3,4,5', join ',', @{ $imap->search('unseen') });
check('store', $imap->store('3:4', '+flags', '(\\Deleted $Junk)'), $imap->get_last_error());
check('copy', $imap->copy('1:2', 'Work'), $imap->get_last_error());
my $copyuid = $imap->get_response_code('copyuid');
check('copyuid', $copyuid && $copyuid->[1] eq '1:2' && $copyuid->[2] eq '1:2', $copyuid && join ' ', @$copyuid);
check('expunge', $imap->expunge(), $imap->get_last_error());
check('what is left', join(',', @{ $imap->search('all') }) eq '1,2,5');
my $status = $imap->status('Work', '(messages uidnext unseen)');
check('status', $status && $status->{messages} == 2 && $status->{uidnext} == 3 && $status->{unseen} == 1, $imap->get_last_error());

check('getacl', { @{ $imap->getacl('INBOX') || [] } }->{$user}, $imap->get_last_error());
check('setacl', $imap->setacl('Work', 'bob', 'lrs'), $imap->get_last_error());
my $acl = { @{ $imap->getacl('Work') } };
check('bob', ($acl->{bob} || '') eq 'lrs', $acl->{bob});
check('deleteacl', $imap->deleteacl('Work', 'bob'), $imap->get_last_error());
check('myrights', $imap->myrights('Work'), $imap->get_last_error());
check('getquotaroot', $imap->getquotaroot('INBOX'), $imap->get_last_error());
check('rename', $imap->rename('Work', 'Play'), $imap->get_last_error());
check('its child too', grep({ $_->[2] eq 'Play/2026' } @{ $imap->list('', '*') }));
check('delete', $imap->delete('Play/2026'), $imap->get_last_error());
check('close', $imap->close(), $imap->get_last_error());
check('logout', $imap->logout(), $imap->get_last_error());
exit $failed ? 1 : 0;
