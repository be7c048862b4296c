// Addresses, names, sockets, and waiting for them.
#include "check.h"
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <ifaddrs.h>
#include <initializer_list>
#include <net/if.h>
#include <netdb.h>
#include <netinet/ether.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

CHECK(addresses_of_text)
{
	for (const char *s : { "127.0.0.1", "1.2.3", "256.1.1.1", "01.2.3.4", "0x7f.1", "", "4294967295" }) {
		in_addr a{};
		int r = inet_pton(AF_INET, s, &a), b = inet_aton(s, &a);
		say("%s: %d %d %x %x", s, r, b, b ? a.s_addr : 0, inet_addr(s));
	}
	for (const char *s : { "::1", "fe80::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1::2::3", ":::", "1:2:3:4:5:6:7", "::1%lo", "12345::" }) {
		unsigned char a[16];
		char text[50] = "";
		int r = inet_pton(AF_INET6, s, a);
		say("%s: %d %s", s, r, r == 1 ? inet_ntop(AF_INET6, a, text, sizeof text) : "");
	}
	unsigned char zeros[16] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1 };
	char small[5], text[50];
	say("%s", inet_ntop(AF_INET6, zeros, text, sizeof text));
	errno = 0;
	say("%d", inet_ntop(AF_INET6, zeros, small, sizeof small) == nullptr);
	say("%d", errno == ENOSPC);
	errno = 0;
	say("%d", inet_pton(99, "", zeros));
	say("%d %x %x", errno == EAFNOSUPPORT, htonl(1), ntohs(0x1234));
	say("%x %x", inet_network("10.1.2.3"), inet_netof(inet_makeaddr(10, 5)));
}

CHECK(numeric_names)
{
	const char *cases[][2] = { { "127.0.0.1", "80" }, { "::1", "443" }, { nullptr, "22" }, { "10.1", nullptr }, { "::1%lo", "1" } };
	for (auto &c : cases) {
		addrinfo hints{}, *found = nullptr;
		hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
		hints.ai_socktype = SOCK_STREAM;
		int r = getaddrinfo(c[0], c[1], &hints, &found);
		for (addrinfo *a = r ? nullptr : found; a; a = a->ai_next) {
			char host[60] = "", port[10] = "";
			int n = getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
			if (c[0]) say("%d %d %d %d %d %s %s", a->ai_family, a->ai_socktype, a->ai_protocol, a->ai_addrlen, n, host, port);
			else say("%s", port);
		}
		if (!r) freeaddrinfo(found);
		say("%d", r);
	}
}

CHECK(names_that_are_none)
{
	addrinfo hints{}, *found;
	hints.ai_flags = AI_NUMERICHOST;
	say("%d", getaddrinfo("no number", nullptr, &hints, &found));
	say("%d", getaddrinfo(nullptr, nullptr, &hints, &found));
	hints.ai_flags = 0x40000000;
	say("%d", getaddrinfo("127.0.0.1", nullptr, &hints, &found));
	hints.ai_flags = AI_NUMERICSERV;
	say("%d", getaddrinfo("127.0.0.1", "http", &hints, &found));
	hints.ai_flags = 0;
	hints.ai_family = 77;
	say("%d", getaddrinfo("127.0.0.1", nullptr, &hints, &found));
	hints.ai_family = 0;
	hints.ai_socktype = 55;
	say("%d", getaddrinfo("127.0.0.1", "80", &hints, &found));
	sockaddr_in in{};
	in.sin_family = AF_INET;
	in.sin_addr.s_addr = htonl(0x7f000001);
	char host[3];
	say("%d", getnameinfo((sockaddr *)&in, sizeof in, host, sizeof host, nullptr, 0, NI_NUMERICHOST));
	say("%d", getnameinfo((sockaddr *)&in, 3, host, sizeof host, nullptr, 0, NI_NUMERICHOST));
}

CHECK(services_and_protocols)
{
	for (const char *name : { "http", "https", "ssh", "no-such-service" }) {
		servent *s = getservbyname(name, "tcp");
		say("%s %d %s", name, s ? ntohs(s->s_port) : -1, s ? s->s_proto : "");
	}
	servent *s = getservbyport(htons(53), "udp");
	say("%s", s ? s->s_name : "none");
	for (const char *name : { "tcp", "udp", "icmp", "no-such-protocol" }) {
		protoent *p = getprotobyname(name);
		say("%d", p ? p->p_proto : -1);
	}
	protoent *p = getprotobynumber(6);
	say("%s", p ? p->p_name : "none");
}

CHECK(hosts_of_old)
{
	hostent *h = gethostbyname("127.0.0.1");
	say("%s %d %d", h ? h->h_name : "none", h ? h->h_addrtype : 0, h ? h->h_length : 0);
	hostent result, *found = nullptr;
	char room[512];
	int e = 0, r = gethostbyname_r("10.2.3.4", &result, room, sizeof room, &found, &e);
	say("%d %s", r, found ? inet_ntoa(*(in_addr *)found->h_addr_list[0]) : "none");
	r = gethostbyname_r("10.2.3.4", &result, room, 4, &found, &e);
	say("%d %d", r == ERANGE, found == nullptr);
}

CHECK(interfaces)
{
	char name[IF_NAMESIZE] = "";
	unsigned n = if_nametoindex("lo");
	say("%d %s", n > 0, if_indextoname(n, name));
	errno = 0;
	say("%u", if_nametoindex("no-such-interface"));
	say("%d", errno == ENODEV);
	struct if_nameindex *all = if_nameindex();
	int there = 0;
	for (auto *p = all; p && p->if_index; p++) there |= !strcmp(p->if_name, "lo");
	if_freenameindex(all);
	ifaddrs *addresses = nullptr;
	int r = getifaddrs(&addresses), loopback = 0;
	for (auto *p = addresses; p; p = p->ifa_next)
		if (p->ifa_addr && p->ifa_addr->sa_family == AF_INET)
			loopback |= ((sockaddr_in *)p->ifa_addr)->sin_addr.s_addr == htonl(0x7f000001);
	freeifaddrs(addresses);
	say("%d %d %d", there, r, loopback);
	ether_addr *mac = ether_aton("1:2:3:a:b:ff");
	say("%d", mac && mac->ether_addr_octet[5] == 0xff);
}

static int listener(sockaddr_in *at)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof *at;
	*at = {};
	at->sin_family = AF_INET;
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(s, (sockaddr *)at, size) || listen(s, 5) || getsockname(s, (sockaddr *)at, &size)) say("%d", errno);
	return s;
}

CHECK(connections)
{
	sockaddr_in at, from{};
	socklen_t size = sizeof from;
	int s = listener(&at), c = socket(AF_INET, SOCK_STREAM, 0);
	say("%d", connect(c, (sockaddr *)&at, sizeof at));
	int a = accept4(s, (sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	say("%d %d %d", a >= 0, (int)size, from.sin_family);
	say("%d %d", fcntl(a, F_GETFL) & O_NONBLOCK, fcntl(a, F_GETFD));
	char b[20] = "";
	errno = 0;
	say("%zd", recv(a, b, sizeof b, 0));
	say("%d", errno == EAGAIN);
	say("%zd", send(c, "hello", 5, MSG_NOSIGNAL));
	pollfd p = { a, POLLIN, 0 };
	say("%d %d", poll(&p, 1, 1000), p.revents);
	int waiting = 0;
	ioctl(a, FIONREAD, &waiting);
	say("%d", waiting);
	say("%zd", recv(a, b, 2, MSG_PEEK));
	say("%zd %s", recv(a, b, sizeof b, 0), b);
	say("%d", shutdown(c, SHUT_WR));
	poll(&p, 1, 1000);
	say("%zd", recv(a, b, sizeof b, 0));
	close(c);
	close(a);
	close(s);
	c = socket(AF_INET, SOCK_STREAM, 0);
	errno = 0;
	say("%d", connect(c, (sockaddr *)&at, sizeof at));
	say("%d", errno == ECONNREFUSED);
	close(c);
}

CHECK(socket_options)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1, got = 0;
	socklen_t size = sizeof got;
	say("%d", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
	say("%d", getsockopt(s, SOL_SOCKET, SO_REUSEADDR, &got, &size));
	say("%d %d", got, (int)size);
	timeval wait = { 0, 5000 };
	say("%d", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait));
	linger l = { 1, 2 };
	say("%d", setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l));
	say("%d", setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
	getsockopt(s, SOL_SOCKET, SO_TYPE, &got, &size);
	say("%d", got == SOCK_STREAM);
	tcp_info info{};
	size = sizeof info;
	say("%d %d", getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &size), size > 80);
	errno = 0;
	say("%d", getsockopt(s, 12345, 1, &got, &size));
	close(s);
}

CHECK(datagrams)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
	sockaddr_in at{}, from{};
	socklen_t size = sizeof at;
	at.sin_family = AF_INET;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(a, (sockaddr *)&at, size);
	getsockname(a, (sockaddr *)&at, &size);
	int on = 1;
	setsockopt(a, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
	char texts[3][8] = { "one", "two", "three" }, got[3][8] = {}, control[3][128] = {};
	iovec v[3], w[3];
	mmsghdr out[3] = {}, in[3] = {};
	for (int i = 0; i < 3; i++) {
		v[i] = { texts[i], strlen(texts[i]) };
		w[i] = { got[i], sizeof got[i] };
		out[i].msg_hdr.msg_iov = v + i;
		out[i].msg_hdr.msg_iovlen = in[i].msg_hdr.msg_iovlen = 1;
		out[i].msg_hdr.msg_name = &at;
		out[i].msg_hdr.msg_namelen = sizeof at;
		in[i].msg_hdr.msg_iov = w + i;
		in[i].msg_hdr.msg_control = control[i];
		in[i].msg_hdr.msg_controllen = sizeof control[i];
	}
	say("%d %d", sendmmsg(b, out, 3, 0), out[2].msg_len);
	timespec wait = { 1, 0 };
	say("%d", recvmmsg(a, in, 3, MSG_WAITFORONE, &wait));
	for (int i = 0; i < 3; i++) {
		cmsghdr *c = CMSG_FIRSTHDR(&in[i].msg_hdr);
		say("%s %u %d %zu %d", got[i], in[i].msg_len, c && c->cmsg_type == IP_PKTINFO, c ? c->cmsg_len : 0, c && CMSG_NXTHDR(&in[i].msg_hdr, c) == nullptr);
	}
	size = sizeof from;
	sendto(b, "last", 4, 0, (sockaddr *)&at, sizeof at);
	say("%zd %d", recvfrom(a, got[0], 2, MSG_TRUNC, (sockaddr *)&from, &size), from.sin_family);
	close(a);
	close(b);
}

CHECK(sockets_of_files)
{
	sockaddr_un at{};
	at.sun_family = AF_UNIX;
	snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "glibc-check-%d", getpid());
	socklen_t size = offsetof(sockaddr_un, sun_path) + 1 + strlen(at.sun_path + 1);
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0), c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	say("%d", bind(s, (sockaddr *)&at, size));
	say("%d", listen(s, 1));
	say("%d", connect(c, (sockaddr *)&at, size));
	int a = accept(s, nullptr, nullptr);
	ucred who;
	socklen_t n = sizeof who;
	say("%d", getsockopt(a, SOL_SOCKET, SO_PEERCRED, &who, &n));
	say("%d %d", who.pid == getpid(), who.uid == getuid());
	close(a);
	errno = 0;
	say("%zd", send(c, "x", 1, MSG_NOSIGNAL));
	say("%d", errno == EPIPE);
	close(c);
	close(s);
}

CHECK(many_descriptors_in_a_message)
{
	int pair[2], fds[40];
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	for (int &fd : fds) fd = pair[0];
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {}, byte = 'x';
	iovec v = { &byte, 1 };
	msghdr m{};
	m.msg_iov = &v;
	m.msg_iovlen = 1;
	m.msg_control = control;
	m.msg_controllen = sizeof control;
	cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fds);
	memcpy(CMSG_DATA(c), fds, sizeof fds);
	say("%zd", sendmsg(pair[0], &m, 0));
	m.msg_controllen = CMSG_SPACE(10 * sizeof(int));
	say("%zd", recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC));
	say("%d %zu %zu", m.msg_flags & MSG_CTRUNC, m.msg_controllen, CMSG_FIRSTHDR(&m)->cmsg_len);
}

CHECK(epolls_and_events)
{
	int e = epoll_create1(EPOLL_CLOEXEC), v = eventfd(3, EFD_NONBLOCK);
	epoll_event want{}, got[4];
	want.events = EPOLLIN | EPOLLET;
	want.data.u64 = 0x123456789abcdef0;
	say("%d", epoll_ctl(e, EPOLL_CTL_ADD, v, &want));
	say("%d", epoll_wait(e, got, 4, 100));
	say("%x %llx %zu", got[0].events, (unsigned long long)got[0].data.u64, sizeof want);
	say("%d", epoll_pwait(e, got, 4, 0, nullptr));
	eventfd_t n = 0;
	say("%d", eventfd_read(v, &n));
	say("%llu", (unsigned long long)n);
	errno = 0;
	say("%d", eventfd_read(v, &n));
	say("%d %d", errno == EAGAIN, eventfd_write(v, 5));
	errno = 0;
	say("%d", epoll_ctl(e, EPOLL_CTL_ADD, v, &want));
	say("%d", errno == EEXIST);
	close(v);
	close(e);
}

CHECK(vectors)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK)) return;
	char a[] = "abc", b[] = "defgh", c[10] = "", d[10] = "";
	iovec out[] = { { a, 3 }, { b, 5 } }, in[] = { { c, 2 }, { d, 9 } };
	say("%zd", writev(fds[1], out, 2));
	say("%zd %s %s", readv(fds[0], in, 2), c, d);
	errno = 0;
	say("%zd", writev(fds[1], out, -1));
	say("%d %d", errno == EINVAL, fcntl(fds[0], F_GETPIPE_SZ) >= 4096);
}

CHECK(texts_of_resolver_errors)
{
	for (int e = 1; e > -20; e--) say("%d %s", e, gai_strerror(e));
	for (int e = -99; e > -110; e--) say("%d %s", e, gai_strerror(e));
}
