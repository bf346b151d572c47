@testable import Search
import Testing

@Suite struct PriceTests {
  @Test func `the price rises while runs cost too much, and falls to where it began`() {
    var price = Price()
    let first = price.exponent
    price.adjust(to: Price.limit * 100 + 100, of: 100)
    #expect(price.exponent == first + 1)
    // Between: it stays.
    price.adjust(to: Price.limit * 95, of: 100)
    #expect(price.exponent == first + 1)
    for _ in 0..<9 { price.adjust(to: Price.limit * 300, of: 100) }
    #expect(price.exponent == Price.exponents.upperBound)
    for _ in 0..<9 { price.adjust(to: Price.unit * 100, of: 100) }
    #expect(price.exponent == first)
    price.adjust(to: 0, of: 0)
    #expect(price.exponent == first)
  }

  @Test func `a higher price is paid by those alone that cost more than their yardstick`() {
    var price = Price()
    let dear = CorpusEntry(
      MutatorTests.base(), fresh: [], epoch: 1, events: 200, yardstick: 100)
    let fair = CorpusEntry(
      MutatorTests.base(), fresh: [], epoch: 1, events: 100, yardstick: 100)
    #expect(dear.afterCost(1 << 20, price: price) == 1 << 17)
    #expect(fair.afterCost(1 << 20, price: price) == 1 << 20)
    price.adjust(to: Price.limit * 300, of: 100)
    #expect(dear.afterCost(1 << 20, price: price) == 1 << 16)
    #expect(fair.afterCost(1 << 20, price: price) == 1 << 20)
  }
}
