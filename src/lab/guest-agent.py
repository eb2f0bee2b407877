# The program in a machine of the lab that starts the command and carries its input and output: see guest-agent.ts.
# Its argument is the name of the port. As PID 1 it reaps what the command leaves behind, too. It imports only what is
# built into Python: under software emulation every further module is a tenth of a second.
import os, select, signal, sys, time
# With its header a piece is as much as the port takes at once.
CHUNK = 32768 - 5
# Output that waits for the host, in bytes, before the command has to.
HELD = 1 << 18

def find_port():
    while True:
        try:
            for name in os.listdir('/sys/class/virtio-ports'):
                with open('/sys/class/virtio-ports/%s/name' % name) as file:
                    if file.read().strip() == sys.argv[1]: return '/dev/' + name
        except OSError: pass
        time.sleep(0.02)

def power_off():
    os.execv('/usr/bin/busybox', ['busybox', 'poweroff', '-f'])

def spare_memory_killer():
    try:
        with open('/proc/self/oom_score_adj', 'w') as file: file.write('-1000')
    except OSError: pass

class Port:
    # The way to the host. Nothing here waits.
    def __init__(self):
        self.fd = os.open(find_port(), os.O_RDWR | os.O_NONBLOCK)
        self.coming, self.going = b'', b''
        self.last_heard = time.monotonic()

    def send(self, kind, data=b''):
        self.going += kind + len(data).to_bytes(4, 'big') + data
        self.flush()

    def flush(self):
        try:
            while self.going: self.going = self.going[os.write(self.fd, self.going):]
        except BlockingIOError: pass

    def has_room(self):
        return len(self.going) < HELD

    def receive(self):
        try: data = os.read(self.fd, CHUNK)
        except BlockingIOError: return []
        if not data:
            # Nobody at the other end: not yet, or not any more.
            if time.monotonic() - self.last_heard > 20: power_off()
            time.sleep(0.02)
            return []
        self.last_heard = time.monotonic()
        self.coming += data
        frames = []
        while len(self.coming) >= 5:
            size = int.from_bytes(self.coming[1:5], 'big')
            if len(self.coming) < 5 + size: break
            frames.append((self.coming[:1], self.coming[5:5 + size]))
            self.coming = self.coming[5 + size:]
        return frames

def fields(data):
    return [part.decode('utf-8', 'surrogateescape') for part in data.split(b'\0')]

def resize(terminal, columns, rows):
    import fcntl, termios
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, rows.to_bytes(2, 'little') + columns.to_bytes(2, 'little') + bytes(4))

def child(words, environment, inputs, outputs, errors, terminal):
    try:
        os.setsid()
        if terminal:
            import fcntl, termios
            fcntl.ioctl(inputs, termios.TIOCSCTTY, 0)
        os.dup2(inputs, 0); os.dup2(outputs, 1); os.dup2(errors, 2)
        for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT): signal.signal(number, signal.SIG_DFL)
        with open('/proc/self/oom_score_adj', 'w') as file: file.write('0')
        os.chdir('/root')
        os.environ.clear()
        os.environ.update(environment)
        os.execvp(words[0], words)
    except FileNotFoundError:
        os.write(2, ('tsengine lab: no program %s in the machine\n' % words[0]).encode('utf-8', 'surrogateescape'))
        os._exit(127)
    except BaseException as error:
        os.write(2, ('tsengine lab: cannot start %s: %s\n' % (words[0], getattr(error, 'strerror', error))).encode('utf-8', 'surrogateescape'))
        os._exit(126)

class Command:
    # The command, its pipes or its terminal. code is known once it has ended.
    def __init__(self, port):
        self.port, self.pid, self.code = port, None, None
        self.inputs, self.outputs, self.terminal = None, {}, 0
        self.waiting, self.input_ended = b'', False

    def start(self, data):
        # columns, rows (0 without a terminal), number of words, words, NAME=VALUE...
        columns, rows, count, *rest = fields(data)
        columns, rows, count = int(columns), int(rows), int(count)
        words, environment = rest[:count], dict(pair.split('=', 1) for pair in rest[count:] if pair)
        if columns: self.start_on_terminal(words, environment, columns, rows)
        else: self.start_on_pipes(words, environment)
        for end in [self.inputs] + list(self.outputs): os.set_blocking(end, False)
        self.port.send(b'S')

    def start_on_terminal(self, words, environment, columns, rows):
        master, slave = os.openpty()
        resize(slave, columns, rows)
        self.pid = os.fork()
        if self.pid == 0: child(words, environment, slave, slave, slave, True)
        os.close(slave)
        self.inputs, self.outputs, self.terminal = master, {master: b'O'}, master

    def start_on_pipes(self, words, environment):
        in_read, in_write = os.pipe()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0: child(words, environment, in_read, out_write, err_write, False)
        for end in (in_read, out_write, err_write): os.close(end)
        self.inputs, self.outputs = in_write, {out_read: b'O', err_read: b'E'}

    def signal(self, number):
        try: os.killpg(self.pid, number)
        except OSError: pass

    def feed(self):
        # Input that is waiting, as much as the command takes. For a command that wants no more no A is sent, which stops it.
        if self.inputs is None: return
        try:
            if self.waiting:
                count = os.write(self.inputs, self.waiting[:CHUNK])
                self.waiting = self.waiting[count:]
                self.port.send(b'A', b'%d' % count)
        except BlockingIOError: pass
        except OSError: self.waiting, self.input_ended = b'', True
        if self.input_ended and not self.waiting and not self.terminal:
            os.close(self.inputs)
            self.inputs = None

    def forward(self, end):
        try: data = os.read(end, CHUNK)
        except BlockingIOError: return
        except OSError: data = b''
        if data: self.port.send(self.outputs[end], data)
        else: del self.outputs[end]

    def reap(self):
        while True:
            try: found, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError: return
            if found == 0: return
            if found == self.pid: self.code = os.waitstatus_to_exitcode(status)

    def obey(self, kind, data):
        # A frame from the host; whether it says that the time is over.
        if kind == b'T': return True
        if kind == b'G' and self.pid is None: self.start(data)
        elif kind == b'I' and self.inputs is not None: self.waiting += data
        elif kind == b'C': self.input_ended = True
        elif kind == b'W' and self.terminal: resize(self.terminal, *map(int, fields(data)))
        elif kind == b'K' and self.pid is not None: self.signal(int(data))
        return False

def full_disks():
    # Mount points of disks without room; what is read-only has none by its nature, and /results is looked at from outside.
    found = []
    with open('/proc/self/mounts', errors='surrogateescape') as file:
        for line in file:
            device, path, kind, options = line.split(' ')[:4]
            if not device.startswith('/dev/') or path == '/results' or 'ro' in options.split(','): continue
            try: room = os.statvfs(path)
            except OSError: continue
            # Of a small one a part: what others may not have of it is no room either.
            if room.f_bavail * room.f_frsize < 1 << 20 and room.f_bavail * 20 < room.f_blocks: found.append(path)
    return found

class KernelLog:
    # What the kernel says from now on. The console has it too, on another way: there it may come after the command's end.
    def __init__(self):
        try:
            self.fd = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
            os.lseek(self.fd, 0, os.SEEK_END)
        except OSError: self.fd = None

    def records(self):
        while self.fd is not None:
            try: yield os.read(self.fd, 8192).decode('utf-8', 'surrogateescape').partition(';')[2]
            except BlockingIOError: return
            # EPIPE: records that were not read in time are gone, and the next read gives the oldest that is there.
            except BrokenPipeError: pass
            except OSError: return

    def killed_for_memory(self):
        # Names of the processes that were killed because the machine's memory was used up; of a cgroup's limit the line begins otherwise.
        killed = []
        for record in self.records():
            if record.startswith('Out of memory: Killed process '):
                name = record.partition('(')[2].partition(') total-vm:')[0]
                if name not in killed: killed.append(name)
        return killed

def sync_results():
    if not os.path.ismount('/results'): return
    pid = os.fork()
    if pid == 0: os.execv('/usr/bin/sync', ['sync', '-f', '/results'])
    os.waitpid(pid, 0)

def wake_on_children():
    # A descriptor that can be read when a child has ended.
    wake_read, wake_write = os.pipe()
    for end in (wake_read, wake_write): os.set_blocking(end, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return wake_read

def wait(port, command, wake):
    # What there is to read, and what can be written. Once the command has ended, what it wrote is in its pipes; who else
    # holds them is not waited for.
    readable, writable = [port.fd, wake], []
    if port.has_room(): readable += command.outputs
    if port.going: writable.append(port.fd)
    if command.waiting and command.inputs is not None: writable.append(command.inputs)
    is_last = command.code is not None and port.has_room()
    ready = select.select(readable, writable, [], 0 if is_last else None)[0]
    return ready, is_last and not any(end in command.outputs for end in ready)

def serve(port, command):
    # Until the command has ended and its output is on its way, or the host says that the time is over.
    wake = wake_on_children()
    port.send(b'H', os.uname().release.encode())
    while True:
        ready, is_done = wait(port, command, wake)
        if is_done: return
        if port.fd in ready:
            for kind, data in port.receive():
                if command.obey(kind, data): return
        port.flush()
        command.feed()
        for end in [end for end in ready if end in command.outputs]: command.forward(end)
        if wake in ready:
            try: os.read(wake, 4096)
            except BlockingIOError: pass
            command.reap()

def exit_number(code):
    return 0 if code is None else code if code >= 0 else 128 - code

def stay(port):
    # The machine is ended from outside.
    while True:
        select.select([port.fd], [port.fd] if port.going else [], [], 1)
        port.flush()
        port.receive()
        try: os.waitpid(-1, os.WNOHANG)
        except OSError: pass

port = Port()
spare_memory_killer()
log = KernelLog()
command = Command(port)
serve(port, command)
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
sync_results()
number = exit_number(command.code)
lacking = []
if number:
    # Whatever the command has done to /proc: its end is told.
    try: lacking = ['m' + name for name in log.killed_for_memory()] + ['d' + path for path in full_disks()]
    except (OSError, ValueError): pass
port.send(b'X', '\0'.join([str(number)] + lacking).encode('utf-8', 'surrogateescape'))
stay(port)
