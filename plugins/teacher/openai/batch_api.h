// Batches of an API of OpenAI's kind: requests are uploaded as a file, answered within a day, and downloaded. What was
// handed in is on the disk before anything is waited for, so that a process that was killed loses no batch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "line_file.h"
#include "retry.h"

namespace retort::openai {

struct BatchOptions {
  std::string base_url;  ///< "/files" and "/batches" are added
  std::string authorization;
  double timeout = 60.0;  ///< seconds a try
  RetryOptions retry;
  double poll = 30.0;  ///< seconds between two looks
  std::optional<std::filesystem::path> record;
  std::function<void(const std::string&)> log;
};

/// Used by one thread at a time.
class BatchApi {
 public:
  struct Request {
    std::string key;      ///< comes back with its answer
    std::int64_t ticket;  ///< likewise
    std::string body;     ///< of "chat/completions"
  };
  struct Answer {
    long status = 0;
    std::string body, failure;
  };
  using Take = std::function<void(const std::string& key, std::int64_t ticket, const Answer& answer)>;

  /// Reads the record: lines {"file": id} after an upload, {"file", "batch": id} before the first look at the batch,
  /// {"finished": id of the batch}. Throws std::runtime_error naming the file.
  explicit BatchApi(BatchOptions options);
  ~BatchApi();
  BatchApi(const BatchApi&) = delete;
  BatchApi& operator=(const BatchApi&) = delete;

  /// Waits for the batches that an earlier process handed in, and gives their answers. A file that was uploaded is
  /// looked for among the server's batches: it may have been handed in by a process that was killed right then.
  /// Returns false once `should_stop` says yes; throws std::runtime_error for what the server refuses.
  bool pick_up(const Take& take, const std::function<bool()>& should_stop);
  /// Hands in `requests` as one batch and waits. Every request is answered, those that the batch did not answer with a
  /// failure; a second answer to a request is passed over and logged.
  bool run(const std::vector<Request>& requests, const Take& take, const std::function<bool()>& should_stop);

 private:
  class Client;
  struct Open {
    std::string file, batch;
  };
  bool wait_for(const Open& open, const Take& take, std::set<std::string>& answered,
                const std::function<bool()>& should_stop);
  void read_answers(const std::string& file, const Take& take, std::set<std::string>& answered);
  std::string batch_of_file(const std::string& file);
  void record(const std::string& line);

  BatchOptions options_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<teacher::LineFile> record_;
  std::vector<Open> open_;
};

}  // namespace retort::openai
