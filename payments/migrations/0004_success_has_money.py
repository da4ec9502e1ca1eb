from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("payments", "0003_money_of_settled_payments")]

    operations = [
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'succeeded'), _negated=True), ('captured_cents__gte', models.F('amount_cents')), _connector='OR'), name='payments_success_has_money'),
        ),
    ]
