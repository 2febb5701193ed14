from tests.core.support import *
def test_prints(shop, hurry):
    one=device(); shop.add_register(one)
    shop.accept(*[order(str(n)) for n in range(20)])
    with shop.at_work():
        wait_until(lambda: set(shop.states().values())=={"confirmed"}, words=shop.states)
    shop.judge(one)
    assert len(printed(one))==20
    # queue empties
def test_hand(shop):
    one=device(); r=shop.add_register(one)
    shop.accept(order("1"))
    one.engine.shift_open({})
    h=shop.take(r)
    assert h.one()
    shop.judge(one)
    h.driver.close()
