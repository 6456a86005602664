/**
 * Every code that a user may see, in one table: HTTP status, exit code, what it means, what to do. docs/errors.md is made
 * from it (scripts/generate-errors.ts); a test compares table, page and the codes in the sources, in both directions.
 * To add a code: a row here, then run the script. A code is never renamed: records in databases carry it.
 */

/** How a command ends: what went wrong, coarsely, for scripts. */
export const exitCodes = {
  0: 'it worked',
  1: 'an error in microtune itself',
  2: 'wrong use: options, request, names, files',
  3: 'the model was refused, or does not fit',
  4: 'something is missing or in the way: tool, emulator, device, daemon, port, data directory',
  5: 'the job failed, or what was built did not verify',
  130: 'interrupted',
} as const;
export type ExitCode = keyof typeof exitCodes;

export interface ErrorRow {
  /** Status when a request is answered with it. Codes of trials and jobs stand in records and job bodies instead. */
  readonly http: number;
  readonly exit: ExitCode;
  readonly meaning: string;
  readonly advice: string;
}
const row = (http: number, exit: ExitCode, meaning: string, advice: string): ErrorRow => ({
  http,
  exit,
  meaning,
  advice,
});

export const errors = {
  // Models.
  MODEL_UNKNOWN_FORMAT: row(
    422,
    3,
    'The file is in no format that is read here.',
    'Upload a .tflite file ("TFL3" at byte 4).',
  ),
  MODEL_CORRUPT: row(
    422,
    3,
    'The file is damaged or cut off; the detail names the byte.',
    'Copy or export the model again.',
  ),
  MODEL_INVALID: row(
    422,
    3,
    'The file can be read, but what it says makes no sense: shapes, references, quantization.',
    'See the operator named in the detail; export the model again.',
  ),
  OP_UNSUPPORTED: row(
    422,
    3,
    'The model uses an operator, or a form of it, that is not supported.',
    'Replace the operator named in the detail, or add it (docs/adding.md).',
  ),
  TYPE_UNSUPPORTED: row(
    422,
    3,
    'An operator works on a type that is not supported there.',
    'Quantize the model to int8 (weights and activations).',
  ),
  MODEL_TOO_BIG: row(
    422,
    3,
    "The network does not fit the board's flash or RAM, or the budgets; the detail gives the bytes that are missing, and by layer.",
    'Take a smaller model, a larger board or a larger budget.',
  ),
  MODEL_NOT_FOUND: row(404, 2, 'No model has this id.', 'Upload the model with POST /v1/models.'),

  TASK_NOT_FOUND: row(404, 2, 'No task of the log has this id.', 'See GET /v1/tasks.'),

  // The command line.
  USAGE: row(400, 2, 'A command, argument or option that does not exist or is not understood.', 'See --help.'),
  FILE_UNUSABLE: row(400, 2, 'A file or folder cannot be read or written.', 'Check its name and rights.'),
  INPUT_INVALID: row(
    400,
    2,
    'A .npy file that cannot be read.',
    'Save it with numpy.save as little-endian numbers in C order.',
  ),
  INPUT_MISMATCH: row(
    400,
    2,
    "Size, type or shape of an input or output file are not the model's.",
    'The detail says what the model takes.',
  ),
  RECORD_BAD: row(
    400,
    2,
    'A file of records that cannot be read; the detail names the line.',
    'Make it with `microtune records --format jsonl`.',
  ),
  SHIPPED_DAMAGED: row(
    500,
    4,
    'A file of records that ships with microtune is damaged; the detail names it.',
    'Restore it (`git checkout records` in the clone), or do without with --records none.',
  ),
  DAEMON_UNREACHABLE: row(
    503,
    4,
    'The daemon does not answer, or what answers is no microtune daemon.',
    'Start it with `microtune serve`, or correct --url. Where its certificate is of your own authority: NODE_EXTRA_CA_CERTS=ca.pem.',
  ),
  ARTIFACT_INVALID: row(502, 4, 'An artifact that came from the daemon is damaged.', 'Fetch it again.'),
  INTERRUPTED: row(409, 130, 'The command was ended by a signal; the job was not.', 'See `microtune jobs`.'),
  CANCELLED: row(409, 130, 'The job was cancelled.', 'What was measured is kept; start it again to go on from there.'),
  NOT_SET_UP: row(500, 4, "The project's packages are not installed.", 'Run `npm run setup` in the clone.'),

  KINDS_MIXED: row(
    409,
    2,
    'Counts of several kinds (silicon, model, instructions, host) would be compared with each other.',
    'Name one kind: --kind K, or kind=K in a request. For devices: attached ones, or emulated ones.',
  ),

  // Requests.
  BAD_REQUEST: row(
    400,
    2,
    'The request is not as the interface says; the detail names the field.',
    'See /docs on the daemon.',
  ),
  BAD_TIME: row(400, 2, 'A time that cannot be read.', 'Write it as 90s, 30m or 8h, or as a number of seconds.'),
  BAD_WINDOW: row(
    400,
    2,
    'A daily window that cannot be read, or of a time zone that is not known.',
    'Write it like "20:00-07:00 Europe/Berlin".',
  ),
  BAD_CURSOR: row(400, 2, 'The cursor is not one that was given out for this filter.', 'Begin again without a cursor.'),
  BODY_TOO_LARGE: row(413, 2, 'The body is larger than the daemon takes.', 'Send a smaller model.'),
  MEDIA_TYPE: row(
    415,
    2,
    'The body has a content type that is not taken here.',
    'Models: application/octet-stream or multipart/form-data. Everything else: application/json.',
  ),
  HOST_REFUSED: row(
    403,
    2,
    'The request names a host, or comes from a web page, that this daemon does not serve.',
    'Use the address that the daemon prints, or start it with --host NAME.',
  ),
  REQUEST_TIMEOUT: row(408, 2, 'The request did not come to its end in time.', 'Send it again, over a faster line.'),
  HEADERS_TOO_LARGE: row(431, 2, 'The head of the request is too large.', 'Send fewer or shorter headers.'),
  TOO_MANY_REQUESTS: row(
    429,
    2,
    'This client asks too often.',
    'Wait as long as Retry-After says; follow events instead of asking again and again.',
  ),
  UNAUTHORIZED: row(
    401,
    2,
    'The daemon answers only to those who have a token.',
    'Make one with `microtune token add NAME --scope read`, and name its file with --token-file.',
  ),
  SCOPE_TOO_SMALL: row(
    403,
    2,
    'The token that came with the request does not allow this.',
    'Ask for one with a larger scope: read, tune or admin.',
  ),
  TOKEN_EXISTS: row(409, 2, 'A token was given this name before.', 'Take another name: each is given once.'),
  TOKEN_NOT_FOUND: row(404, 2, 'No token has this name.', 'See `microtune token list`.'),
  IDEMPOTENCY_MISMATCH: row(
    409,
    2,
    'The Idempotency-Key was used for another request.',
    'Take a new key for each request; repeat one only with the request it came with.',
  ),
  IDEMPOTENCY_PENDING: row(
    409,
    2,
    'The first request with this Idempotency-Key is still under way.',
    'Ask again in a moment.',
  ),
  IDEMPOTENCY_UNKNOWN: row(
    409,
    2,
    'The daemon ended before it had answered the first request with this Idempotency-Key: it may have been carried out.',
    'Look (GET /v1/jobs), then ask again under a new key if it was not.',
  ),
  STOPPING: row(503, 4, 'The daemon is on its way down.', 'Ask again when it is back; its jobs go on then.'),
  NOT_FOUND: row(404, 2, 'There is nothing at this path.', 'See /docs on the daemon.'),
  BOARD_UNKNOWN: row(404, 2, 'No board has this name.', 'See the boards command or GET /v1/boards.'),
  POLICY_UNKNOWN: row(400, 2, 'No search policy has this name.', 'Take one of those that the detail lists.'),

  // Queries.
  QUERY_REFUSED: row(
    400,
    2,
    'The statement cannot be run: it is wrong, or asks for more than reading the views; the detail has the words of SQLite.',
    'See GET /v1/schema for what can be read.',
  ),
  QUERY_TIMEOUT: row(
    408,
    2,
    'The query took longer than a query may take, and was ended.',
    'Ask for less: a narrower WHERE, a LIMIT, no join of trials with trials. `microtune serve --query-time` allows more.',
  ),
  QUERY_BUSY: row(503, 4, 'Too many queries wait already.', 'Try again in a moment.'),
  QUERY_NOT_FOUND: row(404, 2, 'No query is saved under this name.', 'See GET /v1/queries.'),
  TRIAL_NOT_FOUND: row(404, 2, 'No trial has this id.', 'See GET /v1/records.'),
  TRIAL_UNMAKEABLE: row(
    409,
    2,
    'The trial cannot be made again: no network here has its layer, or this microtune does not accept its schedule any more.',
    'Upload a network that has the layer. The record itself stays as it is.',
  ),
  QUERY_BUILT_IN: row(409, 2, 'The query comes with microtune and stays as it is.', 'Save yours under another name.'),

  // Jobs.
  JOB_NOT_FOUND: row(404, 2, 'No job has this id.', 'See the jobs command or GET /v1/jobs.'),
  WINDOW: row(
    409,
    2,
    'The job waits for the hours in which it may run.',
    'None: it goes on by itself when they begin.',
  ),
  TURN: row(
    409,
    2,
    'As many jobs are under way as the daemon runs at once; this one waits for its turn.',
    'None, or `microtune serve --jobs N` for more at once. A higher priority comes earlier.',
  ),
  SAME_TASKS: row(
    409,
    2,
    'Other jobs are tuning all that is left of this one; it hears of what they find, and goes on when they end.',
    'None: it goes on by itself.',
  ),
  JOB_TASK_UNKNOWN: row(
    400,
    2,
    'A job is to tune a task that its model does not have.',
    'Take ids of GET /v1/models/:id, or of the tasks of a job on that model.',
  ),
  JOB_STATE: row(409, 2, 'The job is in a state in which this cannot be done.', 'See its state with GET /v1/jobs/:id.'),
  ARTIFACT_GONE: row(
    410,
    2,
    'The files of this job were removed: it ended longer ago than `serve --keep-artifacts` says.',
    'Clone the job: what it measured is kept, so that it is soon done.',
  ),
  JOB_NOT_DONE: row(
    409,
    2,
    'The job has no artifact: it is not done.',
    'Wait for the state done; see its error if it failed.',
  ),
  VERIFY_FAILED: row(
    500,
    5,
    "The built firmware's output differs from the model's. The artifact is withheld.",
    'This is an error in microtune: please report it with the model.',
  ),
  NO_NETWORK: row(
    409,
    4,
    'The firmware on the device has no network linked in.',
    'Flash the firmware of the artifact.',
  ),
  INTERNAL: row(
    500,
    1,
    'An error in microtune itself.',
    "Please report it with the lines of the daemon's log (DATA/log).",
  ),

  // Webhooks.
  WEBHOOK_BAD: row(
    400,
    2,
    'An address that webhooks cannot be sent to.',
    'Give an http or https address without a password, of a host that webhooks may reach (docs/webhooks.md).',
  ),
  DELIVERY_NOT_FOUND: row(404, 2, 'No delivery has this id.', 'See GET /v1/webhooks/deliveries.'),
  DELIVERY_STATE: row(409, 2, 'The delivery has arrived.', 'Nothing.'),
  SECRET_UNSAFE: row(
    400,
    4,
    'The secret that webhooks are signed with is too short, or others can read it.',
    'Put 32 random bytes in hex into the file and take the rights of others away (chmod 600).',
  ),

  // Daemon and machine.
  DATA_DIR_READONLY: row(
    500,
    4,
    'The data directory cannot be created or written.',
    'Change its rights, or take another with --data DIR.',
  ),
  DATA_IN_USE: row(
    409,
    4,
    'Another daemon works on this data directory.',
    'Use that one (the detail has its address), stop it, or take another directory with --data DIR.',
  ),
  DATA_DIR_BAD: row(
    500,
    4,
    'The data directory, or the database in it, cannot be opened: something else is in its place.',
    'Take another directory with --data DIR.',
  ),
  DISK_FULL: row(
    507,
    4,
    'There is no room left on the disk. Nothing half-written stays.',
    'Make room, then start the job again: what was measured is kept.',
  ),
  CACHE_LOST: row(
    500,
    4,
    'Files of the build cache were deleted while they were needed.',
    'Nothing: what was being built is built again. Leave DATA/cache alone while a daemon runs.',
  ),
  TOO_MANY_PROCESSES: row(
    503,
    4,
    'The system starts no more processes for the daemon.',
    'End some, or raise the limit: of the user (ulimit -u), or of the service (TasksMax).',
  ),
  DB_MISSING: row(
    404,
    4,
    'There is no database in this data directory.',
    'Tune something first, or correct --data DIR.',
  ),
  DB_OLDER: row(
    409,
    4,
    'The database is of an older version, and this command may only read it.',
    'Start the daemon once on this directory.',
  ),
  DB_NEWER: row(
    409,
    4,
    'The database was written by a newer microtune.',
    'Use that one, or another directory with --data DIR.',
  ),
  DB_CORRUPT: row(
    500,
    4,
    'The database file is damaged or of another program. It was left alone.',
    'Move it aside with its -wal and -shm files; `sqlite3 FILE .recover` may save its records.',
  ),
  DB_BUSY: row(503, 4, 'Another process holds the database.', 'Try again when it is done.'),
  DB_IO: row(500, 4, 'Reading or writing the database failed.', 'Check the disk and its file system.'),
  PORT_IN_USE: row(409, 4, 'Another program listens on this port.', 'Take another with --port N, or --port 0 for any.'),
  LISTEN_FAILED: row(
    500,
    4,
    'The daemon cannot listen on this address.',
    'Take an address of this machine for --host, and a port above 1023.',
  ),
  TOKENS_NEEDED: row(
    409,
    4,
    'The daemon would be open to others without asking who they are.',
    'Make a token first: `microtune token add NAME --scope admin` with the same --data.',
  ),
  TLS_NEEDED: row(
    409,
    4,
    'Tokens would go over a network in the clear.',
    'Give --tls-cert and --tls-key, or name the proxy that does TLS with --trust-proxy; --plain-http if the network is private to this machine.',
  ),
  TLS_UNUSABLE: row(
    400,
    4,
    'The certificate or its key cannot be used.',
    'Both must be PEM, the key without a passphrase and the one of this certificate.',
  ),
  TOOL_MISSING: row(500, 4, 'A compiler is not installed.', 'Install the package that the detail names.'),
  EMULATOR_MISSING: row(500, 4, 'An emulator is not installed.', 'Install the package that the detail names.'),
  EMULATOR_UNSUITABLE: row(
    500,
    4,
    'The emulator that is installed cannot run the timing model: its plugin interface is another one.',
    'Install QEMU 6 to 8 (Debian 12 has 7.2), or take a board of kind instructions.',
  ),
  PLUGIN_BUILD: row(
    500,
    4,
    'The timing model could not be compiled; the detail has what the compiler said.',
    'Install gcc and libc6-dev, then run `npm run setup` again.',
  ),

  // Firmware of real boards.
  NO_PRODUCT: row(400, 2, 'The board has no firmware for hardware.', 'Build that of its emulated form with --twin.'),
  NOT_EMULATED: row(400, 2, 'The board exists only as hardware.', 'Leave --twin out.'),
  FLASH_TOOL_MISSING: row(
    500,
    4,
    'None of the tools that can flash the board is installed.',
    'Install one of those that the detail names.',
  ),
  BOOT_VOLUME_MISSING: row(
    500,
    4,
    'The volume of the boot loader is not mounted.',
    'Plug the board in with its BOOTSEL button held, or name the folder with --port.',
  ),
  FLASH_FAILED: row(
    502,
    4,
    'Flashing did not work; the detail has what the tool said.',
    'Check cable, probe and rights (udev rules of the tool); no debugger may be attached.',
  ),

  // Devices.
  NO_DEVICE: row(
    409,
    4,
    'There is no device of this board, or none is left that works.',
    'Attach one with --device BOARD=PATH, or emulate some with --emulate BOARD=N.',
  ),
  DEVICE_UNREACHABLE: row(
    502,
    4,
    'A device does not answer, or its port cannot be opened.',
    'Check cable, power, path and rights; nothing else may have the port open.',
  ),
  DEVICE_BUSY: row(409, 4, "A device's port is open in another program.", 'Close that program.'),
  DEVICE_NOT_FOUND: row(404, 2, 'No device has this name.', 'See GET /v1/devices; percent-encode / and # in names.'),
  DEVICE_STATE: row(
    409,
    2,
    'That cannot be done with a device as it is now; the detail says why.',
    'See GET /v1/devices; a device that is at work is drained first.',
  ),
  NOT_A_SERIAL_PORT: row(400, 4, 'The path given for a device is no serial port.', 'Correct --device BOARD=PATH.'),
  WRONG_BOARD: row(
    409,
    4,
    'The device is another board than it was said to be.',
    'Correct --device BOARD=PATH, or flash the firmware of this board.',
  ),
  DEVICE_TWICE: row(
    409,
    4,
    'Two addresses lead to the same device.',
    'Nothing: it is used once. Leave one of the addresses out.',
  ),
  DEVICE_UNWELL: row(
    502,
    4,
    'A device failed its health check right behind a trial, so that the trial does not stand.',
    'Nothing, if it happens now and then: the trial is tried again. Else see GET /v1/devices and `microtune boards doctor`.',
  ),
  CHECKS_FAILED: row(
    409,
    4,
    'The doctor found something that does not work.',
    'Do what stands under its table, then run the doctor again.',
  ),
  HEALTH_WRONG: row(
    502,
    4,
    'A device computes the known kernel of the health check wrongly, or cannot run it.',
    'Check power, clock and memory of the board; flash its firmware anew. It is used again when it passes.',
  ),
  HEALTH_DRIFT: row(
    502,
    4,
    'A device counts something else for the known kernel of the health check than it did first.',
    'Find out what changed: clock, power, temperature, firmware. What was measured since its last good check is measured again.',
  ),
  FIRMWARE_OUTDATED: row(
    409,
    4,
    "A device has another firmware build than today's, and only that one is wanted.",
    'Flash it with `microtune firmware flash`, or take it as it is with --firmware any.',
  ),
  POWER_CYCLE_FAILED: row(
    502,
    4,
    "The command that takes a device's power away failed.",
    'Try the command of --power-cycle by hand; its first argument is the address of the device.',
  ),
  LINK: row(
    502,
    4,
    'The link to a device broke in the middle of a trial.',
    'Nothing, if it happens now and then: the trial is tried again. Else check cable and power.',
  ),

  // Workers.
  NO_WORKERS: row(
    409,
    4,
    'This daemon takes no workers: it has no queue.',
    'Start it with `microtune serve --redis URL` (docs/overnight.md, "A second host").',
  ),
  QUEUE_UNREACHABLE: row(
    503,
    4,
    'Redis, through which workers are told what to do, does not answer.',
    'Start it, or correct --redis. Nothing is lost meanwhile; devices of workers rest.',
  ),
  WORKER_MISMATCH: row(
    409,
    4,
    'What devices of this worker count could not be compared with what those of the farm do.',
    'Bring both hosts to the same microtune and compiler. Where one counts silicon and the other a model: `--emulate BOARD=0` on the farm.',
  ),
  WORKER_NOT_FOUND: row(
    404,
    2,
    "No worker has this id, or it is another token's.",
    'Register again: POST /v1/workers.',
  ),
  WORKER_REPLACED: row(
    409,
    4,
    'Another worker registered under the same name.',
    'End one of the two, or give it another name with --name.',
  ),
  LEASE_VOID: row(
    410,
    2,
    "The lease is over: it was answered, or its time has passed, or it was never this worker's.",
    'Nothing: what was under it has been given to another device.',
  ),

  // Trials: these stand in records; a job goes on after them.
  SCHEDULE_ILLEGAL: row(
    422,
    5,
    'A candidate whose schedule cannot be applied to this workload or its constants.',
    'Nothing: the search takes others.',
  ),
  SCRATCH_TOO_LARGE: row(
    422,
    5,
    'A candidate needs more scratch memory than the device has.',
    'Nothing: the search takes others.',
  ),
  CONSTANTS_TOO_LARGE: row(
    422,
    5,
    "A candidate's constants do not fit the device's load region.",
    'Nothing: the search takes others.',
  ),
  CODE_TOO_LARGE: row(
    422,
    5,
    "A candidate's code does not fit the device's load region.",
    'Nothing: the search takes others.',
  ),
  COMPILE_FAILED: row(
    500,
    5,
    'The compiler refused generated C.',
    "This is an error in microtune: please report it with the compiler's message.",
  ),
  COMPILE_TIMEOUT: row(500, 5, 'The compiler took longer than its time limit.', 'Nothing: the search takes others.'),
  COMPILE_CRASHED: row(
    500,
    5,
    'The compiler crashed.',
    'Nothing: the search takes others. It is an error in the compiler; the record has what it said.',
  ),
  COMPILE_MEMORY: row(500, 5, 'The compiler needed more memory than it may take.', 'Nothing: the search takes others.'),
  COMPILE_OUTPUT: row(500, 5, 'The compiler wrote a larger file than it may.', 'Nothing: the search takes others.'),
  COMPILE_PROCESSES: row(
    500,
    5,
    'The compiler started more processes than it may.',
    'Nothing: the search takes others. Find out what stands in place of the compiler.',
  ),
  COMPILE_KILLED: row(
    500,
    5,
    'Somebody killed the compiler, twice: the system, as a rule, for lack of memory.',
    'Give the machine more memory, or let the daemon run fewer compilers at once.',
  ),
  LINK_FAILED: row(
    500,
    5,
    'The linker refused generated code.',
    "This is an error in microtune: please report it with the linker's message.",
  ),
  WRONG_OUTPUT: row(
    422,
    5,
    "A candidate's output differs from the operator's reference, or it wrote behind its output.",
    'Nothing: it is never chosen. Please report it with the record.',
  ),
  FAULT: row(
    422,
    5,
    'A candidate took a fault on the device: a bad address or instruction.',
    'Nothing: it is never chosen. Please report it with the record.',
  ),
  DAMAGED: row(
    422,
    5,
    "A candidate wrote over the memory of the board's firmware, which has no means to keep it out and restarted.",
    'Nothing: it is never chosen. Please report it with the record.',
  ),
  DEADLINE: row(422, 5, 'A candidate did not end within its deadline.', 'Nothing: the search takes others.'),
} as const satisfies Readonly<Record<string, ErrorRow>>;

/** The row of a code; what is not in the table is an error of ours. */
export function errorOf(code: string): ErrorRow {
  const table: Readonly<Record<string, ErrorRow>> = errors;
  return table[code] ?? errors.INTERNAL;
}
