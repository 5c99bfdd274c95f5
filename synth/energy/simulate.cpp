// Counts what the gates of a netlist do, cycle by cycle: settled values alone, and with the events in between.
//
// A gate has one output, up to 16 inputs and a truth table; what is counted is how often its inputs went from one state
// to another (a state: bit i is input i), since energy, leakage and toggles all follow from it. A register is a gate
// whose truth table is its next state and whose output is the net of its state, taken over at the clock edge.
//
// Events: inertial delays. An output has at most one change under way; a change of the inputs that takes the reason
// for it away before it is there cancels it, both transitions of the inputs being counted as cancelled. Times are
// integer ticks; of several inputs that change at once the least delay holds (IEEE 1364, 14.2).
#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using u64 = std::uint64_t;

constexpr int dense_inputs = 6;

// Counts of transitions of a gate's inputs; an array for few inputs, a map for many.
struct Counts {
    std::vector<u32> dense;  // 64 bytes for two inputs: what is spared here is cache
    std::map<u32, u64> sparse;
    int inputs = 0;
    void clear(int n) {
        inputs = n;
        sparse.clear();
        dense.assign(n <= dense_inputs ? std::size_t(1) << (2 * n) : 0, 0);
    }
    void add(u32 from, u32 to) {
        const u32 pair = from << inputs | to;
        if (inputs <= dense_inputs) ++dense[pair];
        else ++sparse[pair];
    }
    template <class F> void each(F f) const {
        for (std::size_t pair = 0; pair < dense.size(); ++pair)
            if (dense[pair]) f(u32(pair), dense[pair]);
        for (const auto &[pair, count] : sparse) f(pair, count);
    }
};

struct Gate {
    i32 output, inputs, first, table, delays;
    u32 settled = 0, state = 0;            // of the inputs: settled, and with events
    u32 pending_from = 0, pending_to = 0;  // the transition that caused the change under way
    i64 due = -1;                          // its time, or -1
    i32 next = -1, previous = -1;          // in the list of changes of that time
    bool dirty = false;
    u32 changed = 0;
};

struct Sink { i32 gate, input; };

class Simulation {
public:
    Simulation(i32 nets, i32 gates, const i32 *output, const i32 *count, const i32 *inputs, const i32 *table,
               const u8 *tables, i64 tables_size, const i32 *delay, const i32 *delays, i64 delays_size, i32 combinational,
               i32 ports, const i32 *port)
        : combinational_(combinational), tables_(tables, tables + tables_size), delays_(delays, delays + delays_size),
          ports_(port, port + ports), values_(nets, 0), now_(nets, 0), ones_(nets, 0), toggles_(nets, 0), events_(nets, 0) {
        values_[1] = now_[1] = 1;
        sinks_.resize(nets);
        i32 first = 0;
        for (i32 g = 0; g < gates; ++g) {
            Gate gate{};
            gate.output = output[g];
            gate.inputs = count[g];
            gate.first = first;
            gate.table = table[g];
            gate.delays = delay[g];
            for (i32 i = 0; i < count[g]; ++i) {
                nets_of_.push_back(inputs[first + i]);
                sinks_[inputs[first + i]].push_back({g, i});
            }
            first += count[g];
            gates_.push_back(gate);
        }
        settled_counts_.resize(gates);
        event_counts_.resize(gates);
        cancelled_counts_.resize(gates);
        i32 longest = 1;
        for (i32 d : delays_) longest = std::max(longest, d);
        while (size_ <= longest) size_ *= 2;
        heads_.assign(size_, -1);
        occupied_.assign(size_ / 64, 0);
        clear();
        settle(false);  // inputs and states are 0 before the first clock edge
        take_over();
    }

    void clear() {
        for (std::size_t g = 0; g < gates_.size(); ++g) {
            settled_counts_[g].clear(gates_[g].inputs);
            event_counts_[g].clear(gates_[g].inputs);
            cancelled_counts_[g].clear(gates_[g].inputs);
        }
        for (auto *counts : {&ones_, &toggles_, &events_}) std::fill(counts->begin(), counts->end(), 0);
    }

    // Returns 0, or 1 where the events of a cycle do not end in its settled values.
    int run(const u8 *stimulus, i64 cycles, bool counting, bool with_events) {
        for (i64 cycle = 0; cycle < cycles; ++cycle) {
            clock_edge();
            for (std::size_t p = 0; p < ports_.size(); ++p) change(ports_[p], stimulus[cycle * ports_.size() + p], counting);
            settle(counting);
            if (counting)
                for (std::size_t n = 0; n < values_.size(); ++n) ones_[n] += values_[n];
            if (with_events && counting) {
                propagate();
                if (now_ != values_) return 1;
            }
        }
        if (!counting) take_over();
        return 0;
    }

    const std::vector<u64> &ones() const { return ones_; }
    const std::vector<u64> &toggles() const { return toggles_; }
    const std::vector<u64> &events() const { return events_; }

    const std::vector<Counts> &counts(int which) const {
        return which == 0 ? settled_counts_ : which == 1 ? event_counts_ : cancelled_counts_;
    }

private:
    void change(i32 net, u8 value, bool counting) {
        if (values_[net] == value) return;
        values_[net] = value;
        sources_.push_back(net);
        if (counting) ++toggles_[net];
    }

    void clock_edge() {
        sources_.clear();
        next_.clear();
        for (std::size_t g = combinational_; g < gates_.size(); ++g)
            next_.push_back(tables_[gates_[g].table + gates_[g].settled]);
        // The net of a state is inside the cell: its toggles are not counted.
        for (std::size_t g = combinational_; g < gates_.size(); ++g) change(gates_[g].output, next_[g - combinational_], false);
    }

    void settle(bool counting) {
        for (std::size_t g = 0; g < gates_.size(); ++g) {
            Gate &gate = gates_[g];
            u32 state = 0;
            for (i32 i = 0; i < gate.inputs; ++i) state |= u32(values_[nets_of_[gate.first + i]]) << i;
            if (counting) settled_counts_[g].add(gate.settled, state);
            gate.settled = state;
            if (i32(g) >= combinational_) continue;
            const u8 value = tables_[gate.table + state];
            if (value != values_[gate.output]) {
                values_[gate.output] = value;
                if (counting) ++toggles_[gate.output];
            }
        }
    }

    void take_over() {
        now_ = values_;
        for (Gate &gate : gates_) gate.state = gate.settled;
    }

    void mark(i32 net) {
        for (const Sink sink : sinks_[net]) {
            Gate &gate = gates_[sink.gate];
            gate.changed ^= u32(1) << sink.input;
            if (!gate.dirty) {
                gate.dirty = true;
                dirty_.push_back(sink.gate);
            }
        }
    }

    void evaluate(i64 time) {
        for (const i32 g : dirty_) {
            Gate &gate = gates_[g];
            const u32 changed = gate.changed;
            gate.dirty = false;
            gate.changed = 0;
            if (!changed) continue;
            const u32 from = gate.state, to = from ^ changed;
            gate.state = to;
            event_counts_[g].add(from, to);
            if (g >= combinational_) continue;
            const u8 value = tables_[gate.table + to];
            const bool differs = value != now_[gate.output];
            if (!differs && gate.due >= 0) {
                cancelled_counts_[g].add(gate.pending_from, gate.pending_to);
                cancelled_counts_[g].add(from, to);
                remove(g);
            } else if (differs) {
                i32 delay = 0;
                const i32 *delays = &delays_[gate.delays + to * gate.inputs];
                for (i32 i = 0; i < gate.inputs; ++i)
                    if (changed >> i & 1 && (!delay || delays[i] < delay)) delay = delays[i];
                const i64 due = time + delay;
                if (gate.due < 0) {
                    gate.pending_from = from;
                    gate.pending_to = to;
                } else if (due >= gate.due) {
                    continue;
                } else {
                    remove(g);
                }
                insert(g, due);
            }
        }
        dirty_.clear();
    }

    void insert(i32 g, i64 due) {
        Gate &gate = gates_[g];
        const i64 slot = due & (size_ - 1);
        gate.due = due;
        gate.previous = -1;
        gate.next = heads_[slot];
        if (gate.next >= 0) gates_[gate.next].previous = g;
        heads_[slot] = g;
        occupied_[slot >> 6] |= u64(1) << (slot & 63);
        ++under_way_;
    }

    void remove(i32 g) {
        Gate &gate = gates_[g];
        const i64 slot = gate.due & (size_ - 1);
        if (gate.previous >= 0) gates_[gate.previous].next = gate.next;
        else heads_[slot] = gate.next;
        if (gate.next >= 0) gates_[gate.next].previous = gate.previous;
        if (heads_[slot] < 0) occupied_[slot >> 6] &= ~(u64(1) << (slot & 63));
        gate.due = -1;
        --under_way_;
    }

    // The next time after `time` at which an output changes: all are less than `size_` ticks away.
    i64 next_time(i64 time) const {
        i64 at = time + 1;
        for (;;) {
            const i64 slot = at & (size_ - 1);
            const u64 word = occupied_[slot >> 6] >> (slot & 63);
            if (word) return at + __builtin_ctzll(word);
            at += 64 - (slot & 63);
        }
    }

    void propagate() {
        for (const i32 net : sources_) {
            if (now_[net] == values_[net]) continue;
            now_[net] ^= 1;
            ++events_[net];
            mark(net);
        }
        i64 time = 0;
        evaluate(time);
        while (under_way_) {
            time = next_time(time);
            i64 slot = time & (size_ - 1);
            while (heads_[slot] >= 0) {
                const i32 g = heads_[slot];
                remove(g);
                const i32 net = gates_[g].output;
                now_[net] ^= 1;
                ++events_[net];
                mark(net);
            }
            evaluate(time);
        }
    }

    i32 combinational_;
    std::vector<u8> tables_;
    std::vector<i32> delays_;
    std::vector<i32> ports_, nets_of_;
    std::vector<u8> values_, now_, next_;
    std::vector<u64> ones_, toggles_, events_;
    std::vector<Gate> gates_;
    std::vector<std::vector<Sink>> sinks_;
    std::vector<Counts> settled_counts_, event_counts_, cancelled_counts_;
    std::vector<i32> sources_, dirty_, heads_;
    std::vector<u64> occupied_;
    i64 size_ = 64, under_way_ = 0;
};

}  // namespace

extern "C" {

void *simulation_new(i32 nets, i32 gates, const i32 *output, const i32 *count, const i32 *inputs, const i32 *table,
                     const u8 *tables, i64 tables_size, const i32 *delay, const i32 *delays, i64 delays_size,
                     i32 combinational, i32 ports, const i32 *port) {
    return new Simulation(nets, gates, output, count, inputs, table, tables, tables_size, delay, delays, delays_size,
                          combinational, ports, port);
}

void simulation_delete(void *simulation) { delete static_cast<Simulation *>(simulation); }

int simulation_run(void *simulation, const u8 *stimulus, i64 cycles, int counting, int with_events) {
    return static_cast<Simulation *>(simulation)->run(stimulus, cycles, counting, with_events);
}

void simulation_nets(void *simulation, i64 *ones, i64 *toggles, i64 *events) {
    const auto &found = *static_cast<Simulation *>(simulation);
    std::copy(found.ones().begin(), found.ones().end(), ones);
    std::copy(found.toggles().begin(), found.toggles().end(), toggles);
    std::copy(found.events().begin(), found.events().end(), events);
}

// Writes gate, pair of states and count of each transition seen, where there is room, and returns how many there are.
i64 simulation_transitions(void *simulation, int which, i64 *rows, i64 room) {
    i64 found = 0;
    const auto &counts = static_cast<Simulation *>(simulation)->counts(which);
    for (std::size_t g = 0; g < counts.size(); ++g)
        counts[g].each([&](u32 pair, u64 count) {
            if (found < room) {
                rows[3 * found] = i64(g);
                rows[3 * found + 1] = pair;
                rows[3 * found + 2] = i64(count);
            }
            ++found;
        });
    return found;
}

}
