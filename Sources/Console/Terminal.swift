import ArgumentParser
import Glibc

/// Reading a secret.
package enum Terminal {
    /// Beyond this no password is right; the limit only keeps a wrong file from being read whole.
    private static let passwordBytesMax = 4096

    /// The password, from the terminal without showing it (twice when it is to be confirmed), or the
    /// first line of standard input.
    package static func password(confirmed: Bool) throws -> [UInt8] {
        guard isatty(0) == 1 else { return readLine() }
        let password = ask("Password: ")
        if confirmed, ask("Again: ") != password {
            Console.complain("kanmon: the two are not the same")
            throw ExitCode.negative
        }
        return password
    }

    private static func ask(_ prompt: String) -> [UInt8] {
        var shown = termios()
        unsafe tcgetattr(0, &shown)
        var hidden = shown
        hidden.c_lflag &= ~tcflag_t(ECHO)
        unsafe tcsetattr(0, TCSAFLUSH, &hidden)
        defer {
            unsafe tcsetattr(0, TCSAFLUSH, &shown)
            Console.complain("")
        }
        unsafe write(2, prompt, prompt.utf8.count)
        return readLine()
    }

    /// Up to the line feed or the end; a password may hold any other byte.
    private static func readLine() -> [UInt8] {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < passwordBytesMax {
            let count = unsafe read(0, &byte, 1)
            if count < 0 && errno == EINTR { continue }
            guard count == 1, byte != UInt8(ascii: "\n") else { break }
            line.append(byte)
        }
        return line
    }
}
