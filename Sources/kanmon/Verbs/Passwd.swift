import Admission
import ArgumentParser
import Bytes
import Console
import Glibc

struct Passwd: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Adds, replaces, verifies or deletes a user of a password file.",
        discussion: """
            Example: kanmon passwd /etc/kanmon/auth/htpasswd prom

            The password is asked for on the terminal without showing it, or read from standard input. To \
            change a password without a gap, give --add first, move the clients, then replace it.
            """)

    @Argument(help: "The password file, in htpasswd form.")
    var file: String

    @Argument(help: "The user.")
    var user: String

    @Option(help: "How costly guessing is made, 4 to 14; each step doubles it.")
    var cost = 10

    @Flag(help: "Keep the user's old password valid beside the new one (two at most).")
    var add = false

    @Flag(help: "Say whether the password is right, and change nothing.")
    var verify = false

    @Flag(help: "Take the user out.")
    var delete = false

    private static let fileBytesMax = 16 << 20

    func validate() throws {
        guard PasswordHash.costs.contains(cost) else {
            throw ValidationError("--cost must be from 4 to 14.")
        }
        guard [add, verify, delete].count(where: { $0 }) <= 1 else {
            throw ValidationError("Give one of --add, --verify and --delete.")
        }
        guard !user.isEmpty, user.utf8.allSatisfy({ !$0.isControl && $0 != UInt8(ascii: ":") })
        else {
            throw ValidationError(
                "A user's name is not empty and holds no colon and no control character.")
        }
    }

    func run() throws {
        // What cannot be read is told before anybody types a password.
        let old = try oldBytes()
        if verify { return try verifyPassword(in: old) }
        let hash = delete ? nil : try makeHash()
        do {
            try AtomicFile.change(file) { try save(try edited(with: hash)) }
        } catch let failure as AtomicFile.Failure {
            Console.complain(failure.description)
            throw ExitCode.negative
        } catch let error as UserFileEditError {
            Console.complain("\(file): \(error.sentence)")
            throw ExitCode.negative
        }
    }

    private func edited(with hash: PasswordHash?) throws -> [UInt8] {
        let old = try oldBytes()
        let name = Array(user.utf8)
        guard let hash else {
            let rest = try UserFile.delete(name.span, in: old.span)
            // Without a byte in it a reload would take it for a file that is being written.
            return rest.isEmpty ? Array("# kanmon passwd adds users here.\n".utf8) : rest
        }
        return add
            ? try UserFile.add(hash, for: name.span, in: old.span)
            : try UserFile.set(hash, for: name.span, in: old.span)
    }

    /// Nothing, when there is no such file yet and one is to be made.
    private func oldBytes() throws -> [UInt8] {
        let isNew = RegularFile.mode(of: file) == nil && !verify && !delete
        if isNew { return [] }
        do throws(FileFault) {
            return try RegularFile.contents(of: file, bytesMax: Passwd.fileBytesMax)
        } catch {
            Console.complain("\(file) \(error.text)")
            throw ExitCode.negative
        }
    }

    private func verifyPassword(in bytes: [UInt8]) throws {
        let name = Array(user.utf8)
        let (users, _) = UserFile.parse(bytes.span)
        let password = try Terminal.password(confirmed: false)
        var checker = PasswordChecker()
        let line = checker.verify(
            password.span, against: users.lines(of: name.span), work: users.work)
        guard line != nil else {
            Console.complain("\(file): user name or password is wrong")
            throw ExitCode.negative
        }
        Console.say("\(file): the password of \(user) is right")
    }

    private func makeHash() throws -> PasswordHash {
        let password = try Terminal.password(confirmed: true)
        do throws(PasswordMakingError) {
            return try PasswordHash(making: password.span, cost: cost)
        } catch {
            Console.complain("kanmon: \(error.sentence)")
            throw ExitCode.negative
        }
    }

    private func save(_ bytes: [UInt8]) throws {
        try AtomicFile.write(bytes, to: file, newMode: 0o600)
        Console.say(
            "\(file): \(user) \(delete ? "taken out" : add ? "may use two passwords now" : "set")")
    }
}
