// A merge that nobody finished.
export interface Item {
  name: string;
  price: number;
}

export function sum(items: Item[]): number {
<<<<<<< HEAD
  return items.reduce((total, item) => total + item.price, 0);
=======
  let total = 0;
  for (const { price } of items) total += price;
  return total;
>>>>>>> loops
}
