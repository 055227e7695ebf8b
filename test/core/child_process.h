#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace rocksdb_backup::test {

// A second process of this executable. It runs one test called DISABLED_..., which is the other side of a real test.
// Environment variables tell it what to do. It prints one line when it is ready. It ends when its standard input ends,
// or when it is killed.
class ChildProcess {
 public:
  ChildProcess(const std::string& test, const std::map<std::string, std::string>& variables) {
    int to_child[2];
    int from_child[2];
    EXPECT_EQ(pipe2(to_child, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(from_child, O_CLOEXEC), 0);
    const std::string filter = "--gtest_filter=" + test;
    // All memory is allocated before the fork.
    std::vector<std::string> texts;
    for (char** variable = environ; *variable != nullptr; ++variable) {
      if (std::strncmp(*variable, "TMPDIR=", 7) != 0) {
        texts.emplace_back(*variable);
      }
    }
    for (const auto& [name, value] : variables) {
      texts.push_back(name + "=" + value);
    }
    // A killed process leaves its temporary directory, so this one removes it.
    EXPECT_NE(mkdtemp(scratch_.data()), nullptr);
    texts.push_back("TMPDIR=" + scratch_);
    std::vector<char*> environment;
    for (auto& text : texts) {
      environment.push_back(text.data());
    }
    environment.push_back(nullptr);
    const char* arguments[] = {"core_test", filter.c_str(), "--gtest_also_run_disabled_tests", "--gtest_brief=1",
                               nullptr};
    pid_ = fork();
    if (pid_ == 0) {
      dup2(to_child[0], 0);
      dup2(from_child[1], 1);
      execve("/proc/self/exe", const_cast<char* const*>(arguments), environment.data());
      _exit(127);
    }
    close(to_child[0]);
    close(from_child[1]);
    input_ = to_child[1];
    output_ = from_child[0];
  }

  ~ChildProcess() {
    if (pid_ > 0) {
      Kill();
    }
    close(output_);
    std::error_code ignored;
    std::filesystem::remove_all(scratch_, ignored);
  }

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Waits for the line after "child: ". Empty if the process ended without one.
  std::string WaitForLine() {
    for (;;) {
      const size_t end = text_.find('\n');
      if (end != std::string::npos) {
        const std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
        if (line.rfind("child: ", 0) == 0) {
          return line.substr(7);
        }
        continue;
      }
      char buffer[512];
      const ssize_t size = read(output_, buffer, sizeof(buffer));
      if (size <= 0) {
        return "";
      }
      text_.append(buffer, static_cast<size_t>(size));
    }
  }

  void Kill() {
    kill(pid_, SIGKILL);
    Reap();
  }

  // Its exit code, or -1.
  int End() {
    close(std::exchange(input_, -1));
    while (!WaitForLine().empty()) {
    }
    return Reap();
  }

  // Called in the child process.
  static void Say(const std::string& line) {
    const std::string text = "\nchild: " + line + "\n";
    EXPECT_EQ(write(1, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  static void WaitForEnd() {
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
  }

 private:
  int Reap() {
    int status = 0;
    const pid_t reaped = waitpid(std::exchange(pid_, -1), &status, 0);
    if (input_ >= 0) {
      close(std::exchange(input_, -1));
    }
    return reaped > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  pid_t pid_ = -1;
  std::string scratch_ =
      (access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path().string()) +
      "/rocksdb-backup-child-XXXXXX";
  int input_ = -1;
  int output_ = -1;
  std::string text_;
};

}  // namespace rocksdb_backup::test
