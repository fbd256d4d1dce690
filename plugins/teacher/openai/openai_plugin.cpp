// ABI glue of teacher.openai.
#include <cstdint>
#include <memory>
#include <retort/host_secrets.hpp>
#include <retort/host_storage.hpp>
#include <retort/plugin.hpp>
#include <retort/teacher.hpp>
#include <string>
#include <utility>
#include <vector>

#include "openai.h"

namespace {

namespace openai = retort::openai;

class OpenAiTeacher final : public retort::Teacher {
 public:
  struct BudgetParams {
    std::int64_t requests = 0, input_tokens = 0, output_tokens = 0;
    double usd = 0.0;
  };
  struct Params {
    std::string base_url = "http://127.0.0.1:8080/v1";
    std::vector<std::string> more_base_urls;
    std::string api_key;
    std::string model;
    std::string system_prompt;
    std::string answer_form = "tools";
    double temperature = 0.0, temperature_to = -1.0;
    double top_p = 1.0, top_p_to = -1.0;
    std::int64_t n = 1;
    std::int64_t max_tokens = 1024;
    std::string token_limit_name = "max_tokens";
    std::int64_t seed = -1;
    std::int64_t top_logprobs = 0;
    std::int64_t concurrency = 8;
    double requests_per_minute = 0, input_tokens_per_minute = 0, output_tokens_per_minute = 0;
    double timeout = 60.0;
    std::int64_t retries = 5;
    double first_wait = 1.0;
    double longest_wait = 60.0;
    std::int64_t give_up_after = 64;
    bool batch = false;
    double batch_poll = 30.0;
    std::string store = "run";
    bool offline = false;
    BudgetParams budget;
    double usd_per_million_input_tokens = 0, usd_per_million_output_tokens = 0;
  };
  static auto schema() {
    auto parameters = retort::params<Params>();
    who_is_asked(parameters);
    what_is_asked(parameters);
    how_it_is_sent(parameters);
    how_it_is_tried_again(parameters);
    what_it_may_cost(parameters);
    return parameters;
  }
  explicit OpenAiTeacher(Params params) : store_(std::move(params.store)), settings_(settings_of(std::move(params))) {
    openai::expect_usable(settings_, store_ == "off");
  }

  void complete(const retort::TeacherBatch& batch, const retort::ItemSink& responses) override {
    const bool done = client().complete(
        batch.tools, batch.requests, [&](std::size_t index, const std::string& item) { responses.item(index, item); },
        &retort::should_stop);
    if (!done) throw retort::Stopped();
  }
  void score(const retort::TeacherBatch& batch, const retort::ItemSink& scores) override {
    const bool done = client().score(
        batch.requests, [&](std::size_t index, const std::string& item) { scores.item(index, item); },
        &retort::should_stop);
    if (!done) throw retort::Stopped();
  }

 private:
  static void who_is_asked(retort::ParameterSet<Params>& parameters) {
    parameters.string("base_url", &Params::base_url)
        .doc("address of an API of OpenAI's kind; /chat/completions is added to it")
        .strings("more_base_urls", &Params::more_base_urls)
        .doc("further addresses of the same model, asked in rotation; one that fails is left alone for a while")
        .string("api_key", &Params::api_key)
        .secret_env()
        .doc("name of the environment variable that holds the key; empty: no key is sent")
        .string("model", &Params::model)
        .doc("as the server names it; empty: left to a server that has only one")
        .string("system_prompt", &Params::system_prompt)
        .doc("instructions before the messages of a request that has none; empty: none")
        .string("answer_form", &Params::answer_form)
        .one_of({"tools", "json_schema"})
        .doc("json_schema: tools are described in a text and calls come as JSON of their schema");
  }
  static void what_is_asked(retort::ParameterSet<Params>& parameters) {
    parameters.number("temperature", &Params::temperature)
        .at_least(0)
        .doc("of requests that name none; 0: the likeliest answer")
        .number("temperature_to", &Params::temperature_to)
        .at_least(-1)
        .doc("drawn between temperature and this for every request and sample, by the seed; negative is off")
        .number("top_p", &Params::top_p)
        .above(0)
        .at_most(1)
        .doc("of requests that name none; 1 is off")
        .number("top_p_to", &Params::top_p_to)
        .at_least(-1)
        .at_most(1)
        .doc("drawn between top_p and this likewise; negative is off")
        .integer("n", &Params::n)
        .at_least(1)
        .at_most(128)
        .doc("answers to a request that names no number")
        .integer("max_tokens", &Params::max_tokens)
        .at_least(0)
        .unit("token")
        .doc("length of an answer at most; 0: left to the server")
        .string("token_limit_name", &Params::token_limit_name)
        .one_of({"max_tokens", "max_completion_tokens"})
        .doc("key that max_tokens is sent under; servers disagree")
        .integer("seed", &Params::seed)
        .at_least(-1)
        .doc("of requests that name none, and of what is drawn; -1: none is sent")
        .integer("top_logprobs", &Params::top_logprobs)
        .at_least(0)
        .at_most(20)
        .doc("log-probabilities of so many tokens at each place of the answers; 0: none");
  }
  static void how_it_is_sent(retort::ParameterSet<Params>& parameters) {
    parameters.integer("concurrency", &Params::concurrency)
        .at_least(1)
        .at_most(256)
        .unit("request")
        .doc("under way at each address at most; grows to it with answers and halves on status 429")
        .number("requests_per_minute", &Params::requests_per_minute)
        .at_least(0)
        .doc("0: no limit")
        .number("input_tokens_per_minute", &Params::input_tokens_per_minute)
        .at_least(0)
        .doc("0: no limit")
        .number("output_tokens_per_minute", &Params::output_tokens_per_minute)
        .at_least(0)
        .doc("counted as max_tokens until an answer says less; 0: no limit")
        .boolean("batch", &Params::batch)
        .doc("through the API's batches: cheaper, within a day; a batch handed in is found again by the next start")
        .number("batch_poll", &Params::batch_poll)
        .above(0)
        .unit("s")
        .doc("between two looks at a batch")
        .string("store", &Params::store)
        .doc("where answers are kept, so that none is asked for twice: run (of this run), off, or a folder of your own")
        .boolean("offline", &Params::offline)
        .doc("sends nothing: what is not kept is an error of its row");
  }
  static void how_it_is_tried_again(retort::ParameterSet<Params>& parameters) {
    parameters.number("timeout", &Params::timeout)
        .above(0)
        .unit("s")
        .doc("of one try")
        .integer("retries", &Params::retries)
        .at_least(0)
        .doc("tries after the first, on status 408, 409, 425, 429 and 5xx and where no answer comes; 0 is off")
        .number("first_wait", &Params::first_wait)
        .at_least(0)
        .unit("s")
        .doc("before the second try; doubles with each, unless the server says when (Retry-After)")
        .number("longest_wait", &Params::longest_wait)
        .at_least(0)
        .unit("s")
        .doc("before a try; a request that the server wants to wait longer has failed")
        .integer("give_up_after", &Params::give_up_after)
        .at_least(0)
        .doc(
            "requests in a row that got no answer, or status 402, 403, 404, 405, 429 or 5xx, at their last try: the "
            "endpoint is down, knows no such model or has had enough, and the run ends; 0: never");
  }
  static void what_it_may_cost(retort::ParameterSet<Params>& parameters) {
    parameters.object("budget", &Params::budget,
                      retort::params<BudgetParams>()
                          .integer("requests", &BudgetParams::requests)
                          .at_least(0)
                          .doc("tries that failed included; 0: no limit, here and below")
                          .integer("input_tokens", &BudgetParams::input_tokens)
                          .at_least(0)
                          .doc("as the server counts them")
                          .integer("output_tokens", &BudgetParams::output_tokens)
                          .at_least(0)
                          .doc("as the server counts them")
                          .number("usd", &BudgetParams::usd)
                          .at_least(0)
                          .doc("at the prices below"));
    parameters.number("usd_per_million_input_tokens", &Params::usd_per_million_input_tokens)
        .at_least(0)
        .doc("0: free")
        .number("usd_per_million_output_tokens", &Params::usd_per_million_output_tokens)
        .at_least(0)
        .doc("0: free");
  }
  static openai::Settings settings_of(Params params) {
    openai::Settings settings;
    settings.base_urls = {std::move(params.base_url)};
    for (std::string& url : params.more_base_urls) settings.base_urls.push_back(std::move(url));
    if (!params.api_key.empty()) settings.key = retort::secret(params.api_key);
    settings.concurrency = static_cast<std::size_t>(params.concurrency);
    settings.requests_per_minute = params.requests_per_minute;
    settings.input_tokens_per_minute = params.input_tokens_per_minute;
    settings.output_tokens_per_minute = params.output_tokens_per_minute;
    settings.timeout = params.timeout;
    settings.retry = {params.retries, params.first_wait, params.longest_wait};
    settings.give_up_after = static_cast<std::size_t>(params.give_up_after);
    settings.batch = params.batch;
    settings.poll = params.batch_poll;
    settings.offline = params.offline;
    settings.budget = {params.budget.requests, params.budget.input_tokens, params.budget.output_tokens,
                       params.budget.usd};
    settings.prices = {params.usd_per_million_input_tokens, params.usd_per_million_output_tokens};
    openai::ChatDefaults& chat = settings.chat;
    chat.model = std::move(params.model);
    chat.system_prompt = std::move(params.system_prompt);
    chat.temperature = params.temperature;
    chat.temperature_to = params.temperature_to;
    chat.top_p = params.top_p;
    chat.top_p_to = params.top_p_to;
    chat.n = params.n;
    chat.max_tokens = params.max_tokens;
    chat.token_limit_name = std::move(params.token_limit_name);
    chat.seed = params.seed;
    chat.top_logprobs = params.top_logprobs;
    chat.json_calls = params.answer_form == "json_schema";
    settings.log = [](const std::string& text) { retort::log_info("teacher.openai: " + text); };
    return settings;
  }

  /// Made when it is first used: only then is a run under way, whose folder keeps answers and what was spent.
  openai::OpenAi& client() {
    if (client_) return *client_;
    settings_.records = retort::run_storage("teachers");
    if (store_ == "run")
      settings_.store = retort::run_storage("answers");
    else if (store_ != "off")
      settings_.store = store_;
    client_ = std::make_unique<openai::OpenAi>(std::move(settings_));
    return *client_;
  }

  std::string store_;
  openai::Settings settings_;
  std::unique_ptr<openai::OpenAi> client_;
};

}  // namespace

RETORT_PLUGIN(OpenAiTeacher, "teacher.openai", "1.2.0",
              "a model behind an HTTP API of OpenAI's kind (chat/completions)");
